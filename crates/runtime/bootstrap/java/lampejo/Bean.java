package lampejo;

import java.lang.reflect.AccessibleObject;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Member;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A class as JSON sees it: its public getters and fields, its setters, in the order in which its
 * fields are declared. Of a record its components are written; to read one it has no setters, and
 * Lambda does not either.
 */
final class Bean {
    private static final Map<Class<?>, Bean> KNOWN = new ConcurrentHashMap<Class<?>, Bean>();

    private final Class<?> type;
    private final Map<String, Property> properties = new LinkedHashMap<String, Property>();
    private final Map<String, String> eventNames;

    static Bean of(Class<?> type) {
        Bean known = KNOWN.get(type);
        if (known == null) {
            known = new Bean(type);
            KNOWN.put(type, known);
        }
        return known;
    }

    /** One name in JSON, and how it is got and set; each may be absent. */
    static final class Property {
        final String name;
        private Method getter;
        private Method setter;
        private Field field;
        private boolean isRead;

        private Property(String name) {
            this.name = name;
        }

        Object get(Object of) {
            try {
                return getter != null ? getter.invoke(of) : field.get(of);
            } catch (InvocationTargetException e) {
                throw new IllegalStateException(e.getCause());
            } catch (IllegalAccessException e) {
                throw new IllegalStateException(e);
            }
        }

        private Type type() {
            return setter != null ? setter.getGenericParameterTypes()[0] : field.getGenericType();
        }

        private void set(Object of, Object value) throws ReflectiveOperationException {
            if (setter != null) {
                setter.invoke(of, value);
            } else {
                field.set(of, value);
            }
        }
    }

    private Bean(Class<?> type) {
        this.type = type;
        eventNames = EventNames.of(type);
        boolean byFields = isS3Notification(type);
        addFields(type, byFields);
        if (!byFields) {
            addMethods(type);
        }
        if (isRecord(type)) {
            addComponents();
        }
        List<String> unused = new ArrayList<String>();
        for (Property property : properties.values()) {
            property.isRead = property.getter != null || property.field != null;
            if (!property.isRead && property.setter == null) {
                unused.add(property.name);
            }
        }
        properties.keySet().removeAll(unused);
    }

    /** Whether it is one of AWS's classes of events. */
    boolean isEvent() {
        return EventNames.isEvent(type);
    }

    /** What is written. */
    Collection<Property> properties() {
        List<Property> read = new ArrayList<Property>();
        for (Property property : properties.values()) {
            if (property.isRead) {
                read.add(property);
            }
        }
        return read;
    }

    /** A new object with these properties; what it does not know is passed over. */
    Object fill(Map<String, Object> values, Type generic) {
        Object filled = create(type);
        Map<java.lang.reflect.TypeVariable<?>, Type> known = Types.parameters(generic);
        for (Map.Entry<String, Object> entry : values.entrySet()) {
            Property property = properties.get(entry.getKey());
            if (property == null || (property.setter == null && property.field == null)) {
                continue;
            }
            Type to = Types.substitute(property.type(), known);
            Object value = value(entry.getValue(), to);
            try {
                property.set(filled, value);
            } catch (InvocationTargetException e) {
                throw new IllegalArgumentException(about(entry.getKey()), e.getCause());
            } catch (ReflectiveOperationException e) {
                throw new IllegalArgumentException(about(entry.getKey()), e);
            }
        }
        return filled;
    }

    private String about(String name) {
        return "The property " + name + " of " + type.getName() + " cannot be set";
    }

    /** In AWS's classes of events a date is seconds. */
    private Object value(Object json, Type to) {
        if (isEvent() && to == Date.class && json instanceof Number) {
            double seconds = ((Number) json).doubleValue();
            return seconds == 0 ? null : new Date((long) (seconds * 1000.0));
        }
        return Binder.bind(json, to);
    }

    /** By the constructor without parameters, which need not be public. */
    static Object create(Class<?> type) {
        try {
            return open(constructor(type)).newInstance(
                    new Object[constructor(type).getParameterTypes().length]);
        } catch (InvocationTargetException e) {
            throw new IllegalArgumentException(e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new IllegalArgumentException(
                    "Cannot construct instance of `" + type.getName()
                            + "` (no Creators, like default constructor, exist)");
        }
    }

    /** AWS's classes of S3 notifications have none without: they take nulls, and fields are set. */
    private static Constructor<?> constructor(Class<?> type) throws NoSuchMethodException {
        if (!isS3Notification(type)) {
            return type.getDeclaredConstructor();
        }
        Constructor<?> longest = type.getDeclaredConstructors()[0];
        for (Constructor<?> constructor : type.getDeclaredConstructors()) {
            int count = constructor.getParameterTypes().length;
            if (count > longest.getParameterTypes().length) {
                longest = constructor;
            }
        }
        return longest;
    }

    private static boolean isS3Notification(Class<?> type) {
        return EventNames.isEvent(type)
                && (type.getName().contains("S3EventNotification")
                        || type.getSuperclass().getName().contains("S3EventNotification"));
    }

    private void addFields(Class<?> of, boolean all) {
        if (of == null || of == Object.class) {
            return;
        }
        addFields(of.getSuperclass(), all);
        for (Field field : of.getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers()) || field.isSynthetic()) {
                continue;
            }
            // Also the place of what only methods reach.
            Property property = property(field.getName());
            if (all || Modifier.isPublic(field.getModifiers())) {
                property.field = open(field);
            }
        }
    }

    private void addMethods(Class<?> of) {
        if (of == null || of == Object.class) {
            return;
        }
        for (Method method : of.getDeclaredMethods()) {
            if (!Modifier.isStatic(method.getModifiers()) && !method.isSynthetic()) {
                addMethod(method);
            }
        }
        addMethods(of.getSuperclass());
    }

    private void addMethod(Method method) {
        String name = method.getName();
        int parameters = method.getParameterTypes().length;
        Class<?> returned = method.getReturnType();
        boolean isPublic = Modifier.isPublic(method.getModifiers());
        boolean isTruth = returned == boolean.class || returned == Boolean.class;
        if (parameters == 1 && name.startsWith("set") && name.length() > 3) {
            Property property = property(decapitalized(name.substring(3)));
            if (property.setter == null || fits(property, method)) {
                property.setter = open(method);
            }
        } else if (parameters == 0 && isPublic && name.startsWith("get") && name.length() > 3
                && returned != void.class) {
            addGetter(name.substring(3), method);
        } else if (parameters == 0 && isPublic && name.startsWith("is") && name.length() > 2
                && isTruth) {
            addGetter(name.substring(2), method);
        }
    }

    private void addGetter(String name, Method method) {
        Property property = property(decapitalized(name));
        // A class's own goes before those above it, and `get` before `is`.
        if (property.getter == null) {
            property.getter = open(method);
        }
    }

    /** Of two setters, the one of the getter's type. */
    private static boolean fits(Property property, Method setter) {
        Class<?> wanted = property.getter == null ? String.class : property.getter.getReturnType();
        return setter.getParameterTypes()[0] == wanted
                && setter.getDeclaringClass() == property.setter.getDeclaringClass();
    }

    private Property property(String bean) {
        String name = eventNames.isEmpty() ? bean : EventNames.name(bean, eventNames);
        Property property = properties.get(name);
        if (property == null) {
            property = new Property(name);
            properties.put(name, property);
        }
        return property;
    }

    /** As the JavaBeans specification has it: two capitals stay. */
    private static String decapitalized(String name) {
        if (name.length() > 1 && Character.isUpperCase(name.charAt(0))
                && Character.isUpperCase(name.charAt(1))) {
            return name;
        }
        return Character.toLowerCase(name.charAt(0)) + name.substring(1);
    }

    /** Records are newer than what this is written for. */
    private static boolean isRecord(Class<?> type) {
        Class<?> above = type.getSuperclass();
        return above != null && above.getName().equals("java.lang.Record");
    }

    private void addComponents() {
        for (Field field : type.getDeclaredFields()) {
            if (!Modifier.isStatic(field.getModifiers())) {
                try {
                    property(field.getName()).getter = open(type.getMethod(field.getName()));
                } catch (NoSuchMethodException e) {
                    throw new IllegalStateException(e);
                }
            }
        }
    }

    /** Lets us at what is not public. */
    private static <T extends AccessibleObject & Member> T open(T member) {
        int modifiers = member.getModifiers() & member.getDeclaringClass().getModifiers();
        if (!Modifier.isPublic(modifiers) || member instanceof Field) {
            member.setAccessible(true);
        }
        return member;
    }
}
