package lampejo;

import com.amazonaws.services.lambda.runtime.serialization.PojoSerializer;
import com.amazonaws.services.lambda.runtime.serialization.events.LambdaEventSerializers;
import com.amazonaws.services.lambda.runtime.serialization.factories.JacksonFactory;
import java.io.ByteArrayOutputStream;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.List;

/**
 * Reads and writes values by the bootstrap and by AWS's own library, and prints where they differ:
 * {@code Compare CASES}, a JSON list of [class, value].
 */
public final class Compare {
    private Compare() {}

    public static void main(String[] arguments) throws Exception {
        byte[] cases = Files.readAllBytes(Paths.get(arguments[0]));
        String text = new String(cases, StandardCharsets.UTF_8);
        for (Object each : (List<?>) new JsonReader(text).read()) {
            List<?> pair = (List<?>) each;
            Class<?> type = Class.forName(pair.get(0).toString());
            String json = pair.get(1) == null ? "null" : new JsonWriter().write(pair.get(1));
            String ours = ours(json, type);
            String theirs = theirs(json, type);
            if (!ours.equals(theirs)) {
                System.out.println(type.getName() + " of " + json);
                System.out.println("  AWS's " + theirs + "\n  ours  " + ours);
            }
        }
    }

    private static String ours(String json, Type type) {
        try {
            Object value = Json.read(json.getBytes(StandardCharsets.UTF_8), type);
            return shown(value, new JsonWriter().write(value));
        } catch (RuntimeException e) {
            return "refused";
        }
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static String theirs(String json, Class<?> type) {
        boolean isEvent = LambdaEventSerializers.isLambdaSupportedEvent(type.getName());
        PojoSerializer serializer = isEvent
                ? LambdaEventSerializers.serializerFor((Class) type, Compare.class.getClassLoader())
                : JacksonFactory.getInstance().getSerializer(type);
        try {
            Object value = serializer.fromJson(json);
            ByteArrayOutputStream written = new ByteArrayOutputStream();
            serializer.toJson(value, written);
            return shown(value, new String(written.toByteArray(), StandardCharsets.UTF_8));
        } catch (RuntimeException e) {
            return "refused";
        }
    }

    /** The value in its own words, if it has some, and its JSON without regard to the order. */
    private static String shown(Object value, String json) {
        Object read = new JsonReader(json).read();
        String words = String.valueOf(value);
        return sorted(read) + (words.contains("@") ? "" : " " + words);
    }

    private static Object sorted(Object json) {
        if (json instanceof java.util.Map) {
            java.util.TreeMap<Object, Object> sorted = new java.util.TreeMap<>();
            ((java.util.Map<?, ?>) json).forEach((name, value) -> sorted.put(name, sorted(value)));
            // It is AWS's own addition to a notification that a handler returns.
            sorted.remove("urlDecodedKey");
            return sorted;
        }
        if (json instanceof List) {
            List<Object> sorted = new java.util.ArrayList<>();
            ((List<?>) json).forEach(value -> sorted.add(sorted(value)));
            return sorted;
        }
        return json;
    }
}
