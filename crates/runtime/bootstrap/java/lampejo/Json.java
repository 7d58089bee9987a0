package lampejo;

import com.amazonaws.services.lambda.runtime.CustomPojoSerializer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.ServiceLoader;

/**
 * Between JSON and handlers' values: by the function's own serializer if it brings one, else as
 * Lambda does. Read next: {@link Binder} for values, {@link Bean} for their classes.
 */
final class Json {
    static final byte[] NULL = {'n', 'u', 'l', 'l'};

    private static CustomPojoSerializer own;

    private Json() {}

    static void useServicesOf(ClassLoader loader) {
        // Looking for services costs more than looking for the file that names them.
        String file = "META-INF/services/" + CustomPojoSerializer.class.getName();
        if (loader.getResource(file) == null) {
            return;
        }
        Iterator<CustomPojoSerializer> found =
                ServiceLoader.load(CustomPojoSerializer.class, loader).iterator();
        own = found.hasNext() ? found.next() : null;
        if (found.hasNext()) {
            throw new Fault("Too many serializers provided inside the META-INF/services folder,"
                    + " only one is allowed");
        }
    }

    static Object read(byte[] json, Type type) {
        if (own != null) {
            return own.fromJson(new ByteArrayInputStream(json), type);
        }
        String text = new String(json, StandardCharsets.UTF_8);
        return Binder.bind(new JsonReader(text).read(), type);
    }

    static void write(Object value, OutputStream answer, Type type) throws IOException {
        if (own != null) {
            own.toJson(value, answer, type);
            return;
        }
        answer.write(new JsonWriter().write(value).getBytes(StandardCharsets.UTF_8));
    }
}
