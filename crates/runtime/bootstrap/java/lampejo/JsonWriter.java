package lampejo;

import java.lang.reflect.Array;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Base64;
import java.util.Calendar;
import java.util.Date;
import java.util.Iterator;
import java.util.Map;
import java.util.Optional;

/** Values as JSON: of objects and maps what is not null. */
final class JsonWriter {
    private static final String HEX = "0123456789ABCDEF";

    private final StringBuilder out = new StringBuilder(256);

    String write(Object value) {
        add(value);
        return out.toString();
    }

    private void add(Object value) {
        if (value == null) {
            out.append("null");
        } else if (value instanceof CharSequence || value instanceof Character) {
            addText(value.toString());
        } else if (value instanceof Number) {
            addNumber((Number) value);
        } else if (value instanceof Boolean) {
            out.append(value);
        } else if (value instanceof Enum) {
            addText(((Enum<?>) value).name());
        } else if (value instanceof Map) {
            addMap((Map<?, ?>) value);
        } else if (value instanceof Iterable && !(value instanceof java.nio.file.Path)) {
            addAll(((Iterable<?>) value).iterator());
        } else if (value instanceof Iterator) {
            addAll((Iterator<?>) value);
        } else if (value.getClass().isArray()) {
            addArray(value);
        } else {
            addOther(value);
        }
    }

    private void addOther(Object value) {
        String type = value.getClass().getName();
        if (value instanceof Date) {
            out.append(((Date) value).getTime());
        } else if (value instanceof Calendar) {
            out.append(((Calendar) value).getTimeInMillis());
        } else if (value instanceof ByteBuffer) {
            addBytes((ByteBuffer) value);
        } else if (value instanceof Optional) {
            add(((Optional<?>) value).orElse(null));
        } else if (type.startsWith("java.time.")) {
            add(Times.plain(value));
        } else if (Types.isText(value.getClass())) {
            addText(value instanceof Class ? ((Class<?>) value).getName() : value.toString());
        } else {
            addBean(value);
        }
    }

    private void addBean(Object value) {
        Bean bean = Bean.of(value.getClass());
        char before = '{';
        for (Bean.Property property : bean.properties()) {
            Object held = property.get(value);
            if (held != null) {
                out.append(before);
                addText(property.name);
                out.append(':');
                add(bean.isEvent() && held instanceof Date ? seconds((Date) held) : held);
                before = ',';
            }
        }
        out.append(before == '{' ? "{}" : "}");
    }

    /** Of AWS's own classes of events. */
    private static Object seconds(Date date) {
        return date.getTime() / 1000.0;
    }

    private void addMap(Map<?, ?> map) {
        char before = '{';
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            // As of objects: Lambda leaves out what is null.
            if (entry.getValue() == null) {
                continue;
            }
            out.append(before);
            Object key = entry.getKey();
            addText(key instanceof Enum ? ((Enum<?>) key).name() : String.valueOf(key));
            out.append(':');
            add(entry.getValue());
            before = ',';
        }
        out.append(before == '{' ? "{}" : "}");
    }

    private void addAll(Iterator<?> values) {
        out.append('[');
        while (values.hasNext()) {
            add(values.next());
            if (values.hasNext()) {
                out.append(',');
            }
        }
        out.append(']');
    }

    private void addArray(Object array) {
        if (array instanceof byte[]) {
            addText(Base64.getEncoder().encodeToString((byte[]) array));
            return;
        }
        if (array instanceof char[]) {
            addText(new String((char[]) array));
            return;
        }
        Object[] values = new Object[Array.getLength(array)];
        for (int i = 0; i < values.length; i++) {
            values[i] = Array.get(array, i);
        }
        addAll(Arrays.asList(values).iterator());
    }

    private void addBytes(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        addArray(bytes);
    }

    private void addNumber(Number number) {
        double value = number.doubleValue();
        boolean isFloating = number instanceof Double || number instanceof Float;
        if (isFloating && (Double.isNaN(value) || Double.isInfinite(value))) {
            addText(number.toString());
        } else {
            out.append(number);
        }
    }

    private void addText(String text) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char next = text.charAt(i);
            int escape = "\"\\\n\r\t\b\f".indexOf(next);
            if (escape >= 0) {
                out.append('\\').append("\"\\nrtbf".charAt(escape));
            } else if (next < ' ') {
                out.append("\\u00").append(HEX.charAt(next >> 4)).append(HEX.charAt(next & 15));
            } else {
                out.append(next);
            }
        }
        out.append('"');
    }
}
