package lampejo;

import java.lang.reflect.Array;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/**
 * What was read from JSON as values of a type, as generously as Lambda: numbers from strings and
 * strings from numbers, one value for a list of one and the other way round, the empty string for
 * no object.
 */
final class Binder {
    private Binder() {}

    static Object bind(Object json, Type type) {
        Class<?> raw = Types.raw(type);
        if (raw == Object.class) {
            return natural(json);
        }
        if (raw == Optional.class) {
            Type held = Types.argument(type, Optional.class, 0);
            return Optional.ofNullable(json == null ? null : bind(json, held));
        }
        if (json == null) {
            return raw.isPrimitive() ? Array.get(Array.newInstance(raw, 1), 0) : null;
        }
        boolean isMany = raw.isArray() || Collection.class.isAssignableFrom(raw);
        if (isMany && "".equals(json) && raw != byte[].class && raw != char[].class) {
            return null;
        }
        if (raw.isArray()) {
            return array(json, type, raw);
        }
        if (Collection.class.isAssignableFrom(raw) || raw == Iterable.class) {
            return collection(json, type, raw);
        }
        if (Map.class.isAssignableFrom(raw)) {
            return map(json, type, raw);
        }
        if (Scalars.isScalar(raw)) {
            return json instanceof List ? only(json, type) : Scalars.convert(json, raw);
        }
        if (raw == ByteBuffer.class) {
            return ByteBuffer.wrap(Base64.getDecoder().decode(json.toString()));
        }
        if (raw.getName().startsWith("java.time.")) {
            return Times.read(json, raw);
        }
        return object(json, type, raw);
    }

    /** What handlers find in maps and lists of anything. */
    private static Object natural(Object json) {
        if (json instanceof java.math.BigDecimal) {
            return ((java.math.BigDecimal) json).doubleValue();
        }
        if (json instanceof List) {
            @SuppressWarnings("unchecked")
            List<Object> list = (List<Object>) json;
            for (int i = 0; i < list.size(); i++) {
                list.set(i, natural(list.get(i)));
            }
        }
        if (json instanceof Map) {
            @SuppressWarnings("unchecked")
            Map<String, Object> map = (Map<String, Object>) json;
            for (Map.Entry<String, Object> entry : map.entrySet()) {
                entry.setValue(natural(entry.getValue()));
            }
        }
        return json;
    }

    private static Object array(Object json, Type type, Class<?> raw) {
        if (json instanceof String && raw == byte[].class) {
            return Base64.getDecoder().decode((String) json);
        }
        if (json instanceof String && raw == char[].class) {
            return ((String) json).toCharArray();
        }
        Type component = type instanceof GenericArrayType
                ? ((GenericArrayType) type).getGenericComponentType()
                : raw.getComponentType();
        List<?> values = list(json);
        Object array = Array.newInstance(raw.getComponentType(), values.size());
        for (int i = 0; i < values.size(); i++) {
            Array.set(array, i, bind(values.get(i), component));
        }
        return array;
    }

    private static Object collection(Object json, Type type, Class<?> raw) {
        Collection<Object> collection;
        if (!Modifier.isAbstract(raw.getModifiers())) {
            @SuppressWarnings("unchecked")
            Collection<Object> own = (Collection<Object>) Bean.create(raw);
            collection = own;
        } else if (SortedSet.class.isAssignableFrom(raw)) {
            collection = new TreeSet<Object>();
        } else if (raw == java.util.Set.class) {
            collection = new HashSet<Object>();
        } else if (java.util.Queue.class.isAssignableFrom(raw)) {
            collection = new ArrayDeque<Object>();
        } else {
            collection = new ArrayList<Object>();
        }
        Type element = Types.argument(type, Iterable.class, 0);
        for (Object value : list(json)) {
            collection.add(bind(value, element));
        }
        return collection;
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static Object map(Object json, Type type, Class<?> raw) {
        if (!(json instanceof Map)) {
            return only(json, type);
        }
        Type key = Types.argument(type, Map.class, 0);
        Type value = Types.argument(type, Map.class, 1);
        Map<Object, Object> map;
        if (raw == EnumMap.class) {
            map = new EnumMap(Types.raw(key));
        } else if (!Modifier.isAbstract(raw.getModifiers())) {
            map = (Map<Object, Object>) Bean.create(raw);
        } else if (SortedMap.class.isAssignableFrom(raw)) {
            map = new TreeMap<Object, Object>();
        } else if (ConcurrentMap.class.isAssignableFrom(raw)) {
            map = new ConcurrentHashMap<Object, Object>();
        } else {
            map = new LinkedHashMap<Object, Object>();
        }
        for (Map.Entry<String, Object> entry : ((Map<String, Object>) json).entrySet()) {
            map.put(bind(entry.getKey(), key), bind(entry.getValue(), value));
        }
        return map;
    }

    private static Object object(Object json, Type type, Class<?> raw) {
        if (json instanceof Map) {
            @SuppressWarnings("unchecked")
            Map<String, Object> values = (Map<String, Object>) json;
            return Bean.of(raw).fill(values, type);
        }
        return only(json, type);
    }

    /** A list of one for its value, nothing of an empty one or of an empty string. */
    private static Object only(Object json, Type type) {
        if (json instanceof List && ((List<?>) json).size() < 2) {
            List<?> list = (List<?>) json;
            return list.isEmpty() ? bind(null, type) : bind(list.get(0), type);
        }
        if ("".equals(json)) {
            return null;
        }
        throw mismatch(json, Types.raw(type));
    }

    private static List<?> list(Object json) {
        return json instanceof List ? (List<?>) json : Collections.singletonList(json);
    }

    static IllegalArgumentException mismatch(Object json, Class<?> type) {
        String kind = json instanceof Map ? "object"
                : json instanceof List ? "array"
                : json instanceof String ? "string"
                : json instanceof Boolean ? "boolean" : "number";
        return new IllegalArgumentException(
                "Cannot deserialize value of type `" + type.getName() + "` from a JSON " + kind);
    }
}
