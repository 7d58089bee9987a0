package lampejo;

import java.lang.reflect.GenericArrayType;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Generic types: what their parameters stand for. */
final class Types {
    private Types() {}

    /** Its class, without parameters. */
    static Class<?> raw(Type type) {
        if (type instanceof Class) {
            return (Class<?>) type;
        }
        if (type instanceof ParameterizedType) {
            return (Class<?>) ((ParameterizedType) type).getRawType();
        }
        if (type instanceof TypeVariable) {
            return raw(((TypeVariable<?>) type).getBounds()[0]);
        }
        if (type instanceof WildcardType) {
            return raw(((WildcardType) type).getUpperBounds()[0]);
        }
        Type component = ((GenericArrayType) type).getGenericComponentType();
        return java.lang.reflect.Array.newInstance(raw(component), 0).getClass();
    }

    /** The parameters that a class gives an interface or class above it; null if it gives none. */
    static Type[] argumentsOf(Type type, Class<?> above) {
        if (raw(type) == above) {
            return type instanceof ParameterizedType
                    ? ((ParameterizedType) type).getActualTypeArguments()
                    : null;
        }
        Map<TypeVariable<?>, Type> known = parameters(type);
        for (Type parent : parents(raw(type))) {
            Type[] found = argumentsOf(substitute(parent, known), above);
            if (found != null) {
                return found;
            }
        }
        return null;
    }

    /** One parameter of an interface or class above; Object if it is not known. */
    static Type argument(Type type, Class<?> above, int index) {
        Type[] arguments = argumentsOf(type, above);
        return arguments == null ? Object.class : arguments[index];
    }

    /** What the variables of a type's class stand for, and those of the classes above it. */
    static Map<TypeVariable<?>, Type> parameters(Type type) {
        Map<TypeVariable<?>, Type> known = new HashMap<TypeVariable<?>, Type>();
        addParameters(type, known);
        return known;
    }

    private static void addParameters(Type type, Map<TypeVariable<?>, Type> known) {
        Class<?> raw = raw(type);
        if (type instanceof ParameterizedType) {
            Type[] arguments = ((ParameterizedType) type).getActualTypeArguments();
            TypeVariable<?>[] variables = raw.getTypeParameters();
            for (int i = 0; i < variables.length; i++) {
                known.put(variables[i], arguments[i]);
            }
        }
        if (raw.getGenericSuperclass() != null) {
            addParameters(substitute(raw.getGenericSuperclass(), known), known);
        }
    }

    static Type substitute(Type type, Map<TypeVariable<?>, Type> known) {
        if (type instanceof TypeVariable) {
            Type found = known.get(type);
            return found == null ? type : found;
        }
        if (type instanceof ParameterizedType) {
            Type[] arguments = ((ParameterizedType) type).getActualTypeArguments().clone();
            for (int i = 0; i < arguments.length; i++) {
                arguments[i] = substitute(arguments[i], known);
            }
            return new Parameterized((ParameterizedType) type, arguments);
        }
        return type;
    }

    /** Classes of the JDK and of Joda-Time whose JSON is their text. */
    static boolean isText(Class<?> type) {
        String name = type.getName();
        return name.startsWith("org.joda.time.")
                || name.startsWith("java.net.")
                || name.startsWith("java.nio.")
                || name.startsWith("sun.nio.")
                || name.equals("java.io.File")
                || name.equals("java.lang.Class")
                || name.equals("java.util.UUID")
                || name.equals("java.util.Locale")
                || name.equals("java.util.Currency")
                || name.equals("java.util.regex.Pattern");
    }

    private static List<Type> parents(Class<?> type) {
        List<Type> parents = new ArrayList<Type>(Arrays.asList(type.getGenericInterfaces()));
        parents.addAll(Collections.singletonList(type.getGenericSuperclass()));
        parents.remove(null);
        return parents;
    }

    private static final class Parameterized implements ParameterizedType {
        private final ParameterizedType of;
        private final Type[] arguments;

        Parameterized(ParameterizedType of, Type[] arguments) {
            this.of = of;
            this.arguments = arguments;
        }

        @Override
        public Type[] getActualTypeArguments() {
            return arguments;
        }

        @Override
        public Type getRawType() {
            return of.getRawType();
        }

        @Override
        public Type getOwnerType() {
            return of.getOwnerType();
        }

        @Override
        public String toString() {
            return of.toString();
        }
    }
}
