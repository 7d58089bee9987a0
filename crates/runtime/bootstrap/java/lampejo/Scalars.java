package lampejo;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Calendar;
import java.util.Date;
import java.util.GregorianCalendar;
import java.util.Locale;

/** Values that are one JSON string, number or boolean. */
final class Scalars {
    /** How classes of the JDK and of Joda-Time are made of a text. */
    private static final String[] FACTORIES = {"parse", "fromString", "getInstance", "compile"};

    private Scalars() {}

    static boolean isScalar(Class<?> type) {
        return type.isPrimitive()
                || type.isEnum()
                || type == Boolean.class
                || type == Character.class
                || Number.class.isAssignableFrom(type)
                || CharSequence.class.isAssignableFrom(type)
                || Date.class.isAssignableFrom(type)
                || Calendar.class.isAssignableFrom(type)
                || Types.isText(type) && type != java.nio.ByteBuffer.class;
    }

    static Object convert(Object json, Class<?> type) {
        if (json instanceof java.util.Map) {
            throw Binder.mismatch(json, type);
        }
        if (type == String.class || type == CharSequence.class || type == Object.class) {
            return json.toString();
        }
        if (json instanceof String && ((String) json).trim().isEmpty() && type != char.class) {
            return Binder.bind(null, type);
        }
        if (type.isEnum()) {
            return constant(json, type);
        }
        if (type == boolean.class || type == Boolean.class) {
            return isTrue(json);
        }
        if (type == char.class || type == Character.class) {
            boolean isNumber = json instanceof Number;
            return isNumber ? (char) number(json).intValue() : json.toString().charAt(0);
        }
        if (type.isPrimitive() || Number.class.isAssignableFrom(type)) {
            return number(number(json), type);
        }
        if (Date.class.isAssignableFrom(type) || Calendar.class.isAssignableFrom(type)) {
            return date(json, type);
        }
        return made(json.toString(), type);
    }

    /** Lambda takes a constant that there is not for none. */
    private static Object constant(Object json, Class<?> type) {
        Object[] constants = type.getEnumConstants();
        if (json instanceof Integer) {
            int index = (Integer) json;
            return index >= 0 && index < constants.length ? constants[index] : null;
        }
        for (Object constant : constants) {
            if (((Enum<?>) constant).name().equals(json)) {
                return constant;
            }
        }
        return null;
    }

    private static Object isTrue(Object json) {
        if (json instanceof Number) {
            return ((Number) json).intValue() != 0;
        }
        String text = json.toString().trim().toLowerCase(Locale.ROOT);
        if (!text.equals("true") && !text.equals("false")) {
            throw Binder.mismatch(json, boolean.class);
        }
        return text.equals("true");
    }

    private static BigDecimal number(Object json) {
        if (json instanceof Boolean) {
            throw Binder.mismatch(json, Number.class);
        }
        try {
            return new BigDecimal(json.toString().trim());
        } catch (NumberFormatException e) {
            throw Binder.mismatch(json, Number.class);
        }
    }

    private static Object number(BigDecimal number, Class<?> type) {
        if (type == double.class || type == Double.class) {
            return number.doubleValue();
        }
        if (type == float.class || type == Float.class) {
            return number.floatValue();
        }
        if (type == BigDecimal.class) {
            return number;
        }
        BigInteger whole = number.toBigInteger();
        if (type == BigInteger.class) {
            return whole;
        }
        if (type == long.class || type == Long.class) {
            return within(whole, Long.SIZE).longValue();
        }
        if (type == int.class || type == Integer.class) {
            return within(whole, Integer.SIZE).intValue();
        }
        if (type == short.class || type == Short.class) {
            return within(whole, Short.SIZE).shortValue();
        }
        if (type == byte.class || type == Byte.class) {
            return within(whole, Byte.SIZE + 1).byteValue();
        }
        if (type == Number.class) {
            return number.scale() > 0 ? (Number) number.doubleValue() : whole.longValue();
        }
        return made(number.toPlainString(), type);
    }

    private static BigInteger within(BigInteger whole, int bits) {
        if (whole.bitLength() >= bits) {
            throw new IllegalArgumentException(
                    "Numeric value (" + whole + ") out of range of " + bits + " bits");
        }
        return whole;
    }

    private static Object date(Object json, Class<?> type) {
        boolean isNumber = json instanceof Number || Times.isDigits(json.toString());
        long millis = isNumber ? number(json).longValue() : Times.millis(json.toString());
        if (type == Date.class) {
            return new Date(millis);
        }
        if (type.isAssignableFrom(GregorianCalendar.class)) {
            Calendar calendar = new GregorianCalendar(java.util.TimeZone.getTimeZone("UTC"));
            calendar.setTimeInMillis(millis);
            return calendar;
        }
        try {
            return type.getConstructor(long.class).newInstance(millis);
        } catch (ReflectiveOperationException e) {
            throw Binder.mismatch(json, type);
        }
    }

    /** By the class's factory or constructor of one text. */
    private static Object made(String text, Class<?> type) {
        try {
            for (String name : FACTORIES) {
                for (Method method : type.getMethods()) {
                    Class<?>[] parameters = method.getParameterTypes();
                    if (method.getName().equals(name)
                            && parameters.length == 1
                            && parameters[0].isAssignableFrom(String.class)
                            && type.isAssignableFrom(method.getReturnType())) {
                        return method.invoke(null, text);
                    }
                }
            }
            if (type == Locale.class) {
                return Locale.forLanguageTag(text.replace('_', '-'));
            }
            if (type == Class.class) {
                return Class.forName(text, false, Thread.currentThread().getContextClassLoader());
            }
            if (type == java.nio.file.Path.class) {
                return java.nio.file.Paths.get(text);
            }
            Constructor<?> constructor = type.getConstructor(String.class);
            return constructor.newInstance(text);
        } catch (InvocationTargetException e) {
            throw new IllegalArgumentException(e.getCause());
        } catch (ReflectiveOperationException e) {
            throw Binder.mismatch(text, type);
        }
    }
}
