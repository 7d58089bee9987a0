package lampejo;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;

/**
 * Finds what {@code Handler} names: {@code package.Class}, of one of the two interfaces, or
 * {@code package.Class::method}. What is wrong with it fails each invocation, as on Lambda; only
 * what its own code throws while it is loaded fails the init.
 */
final class Handlers {
    private Handlers() {}

    static Handler find(String name, ClassLoader loader) {
        int colons = name.lastIndexOf("::");
        String className = colons < 0 ? name : name.substring(0, colons);
        String method = colons < 0 ? null : name.substring(colons + 2);
        if (className.isEmpty() || (method != null && method.isEmpty())) {
            return new Broken(new Fault("Invalid handler: `" + name + "'"));
        }
        Class<?> type;
        try {
            type = Class.forName(className, true, loader);
        } catch (ClassNotFoundException e) {
            return new Broken(new Fault("Class not found: " + className, e, false));
        } catch (NoClassDefFoundError e) {
            return new Broken(notLoaded(className, e));
        } catch (Throwable e) {
            throw notLoaded(className, e);
        }
        Json.useServicesOf(loader);
        try {
            return method == null ? ofClass(type) : ofMethod(type, method);
        } catch (Fault fault) {
            if (fault.isFatal) {
                throw fault;
            }
            return new Broken(fault);
        } catch (Throwable e) {
            return new Broken(Fault.of(e, false));
        }
    }

    private static Fault notLoaded(String className, Throwable e) {
        String reason = e.getMessage() == null ? "" : ": " + e.getMessage();
        return new Fault("Error loading class " + className + reason, e, true);
    }

    private static Handler ofClass(Class<?> type) throws Exception {
        if (RequestStreamHandler.class.isAssignableFrom(type)) {
            return new OfStreams((RequestStreamHandler) instance(type));
        }
        if (!RequestHandler.class.isAssignableFrom(type)) {
            throw new Fault("Class does not implement an appropriate handler interface: "
                    + type.getName());
        }
        Type[] types = Types.argumentsOf(type, RequestHandler.class);
        if (types == null) {
            throw new Fault("Class " + type.getName()
                    + " does not implement RequestHandler with concrete type parameters");
        }
        for (Type parameter : types) {
            if (parameter instanceof TypeVariable && Types.raw(parameter) == Object.class) {
                throw new Fault("Class " + type.getName()
                        + " does not implement RequestHandler with concrete type parameters:"
                        + " parameter " + parameter + " has no upper bound.");
            }
        }
        @SuppressWarnings("unchecked")
        RequestHandler<Object, Object> handler = (RequestHandler<Object, Object>) instance(type);
        return new OfValues(handler, types[0], types[1]);
    }

    private static Handler ofMethod(Class<?> type, String name) throws Exception {
        List<Method> named = new ArrayList<Method>();
        try {
            for (Method method : type.getMethods()) {
                if (method.getName().equals(name)) {
                    named.add(method);
                }
            }
        } catch (NoClassDefFoundError e) {
            String text = "Error loading method " + name + " on class " + type.getName();
            throw new Fault(text, e, false);
        }
        Collections.sort(named, LIKELIEST_FIRST);
        for (Method method : named) {
            Handler handler = ofMethod(type, method);
            if (handler != null) {
                return handler;
            }
        }
        throw new Fault("No public method named " + name
                + " with appropriate method signature found on class " + type.getName());
    }

    /** No bridges; more parameters before fewer, where a context at the end counts as two. */
    private static final Comparator<Method> LIKELIEST_FIRST = new Comparator<Method>() {
        @Override
        public int compare(Method one, Method other) {
            if (one.isBridge() != other.isBridge()) {
                return one.isBridge() ? 1 : -1;
            }
            return Integer.compare(weight(other), weight(one));
        }

        private int weight(Method method) {
            Class<?>[] types = method.getParameterTypes();
            int last = types.length - 1;
            return last >= 0 && types[last] == Context.class ? types.length + 1 : types.length;
        }
    };

    /** Null if the method has no signature that a handler may have. */
    private static Handler ofMethod(Class<?> type, Method method) throws Exception {
        Type[] types = method.getGenericParameterTypes();
        int count = types.length;
        boolean hasContext = count > 0 && types[count - 1] == Context.class;
        int values = hasContext ? count - 1 : count;
        boolean reads = values > 0 && types[0] == InputStream.class;
        boolean writes = values > 0 && types[values - 1] == OutputStream.class;
        if (reads || writes) {
            boolean fits = values == (reads ? 1 : 0) + (writes ? 1 : 0);
            return fits ? new OfStreamMethod(type, method, reads, writes, hasContext) : null;
        }
        if (values > 1 || (values == 1 && types[0] == Context.class)) {
            return null;
        }
        Type input = values == 0 ? null : types[0];
        CallsMethod calls = new CallsMethod(type, method, input != null, hasContext);
        return new OfValues(calls, input, method.getGenericReturnType());
    }

    /** A new object; what its constructor throws fails the init. */
    private static Object instance(Class<?> type) throws Exception {
        Constructor<?> constructor;
        try {
            constructor = type.getConstructor();
        } catch (NoSuchMethodException e) {
            if (type.getEnclosingClass() != null && !Modifier.isStatic(type.getModifiers())) {
                throw new Exception("Class " + type.getName()
                        + " cannot be instantiated because it is a non-static inner class");
            }
            throw new Exception(
                    "Class " + type.getName() + " has no public zero-argument constructor", e);
        }
        try {
            return constructor.newInstance();
        } catch (InvocationTargetException e) {
            throw Fault.of(e.getCause(), true);
        }
    }

    private static Object call(Method method, Object target, List<Object> arguments)
            throws Throwable {
        try {
            return method.invoke(target, arguments.toArray());
        } catch (InvocationTargetException e) {
            throw Trace.trim(e.getCause());
        }
    }

    private static Object target(Class<?> type, Method method) throws Exception {
        return Modifier.isStatic(method.getModifiers()) ? null : instance(type);
    }

    /** Fails each invocation. */
    private static final class Broken implements Handler {
        private final Fault fault;

        Broken(Fault fault) {
            this.fault = fault;
        }

        @Override
        public void handle(byte[] event, OutputStream answer, Context context) {
            throw fault;
        }
    }

    private static final class OfStreams implements Handler {
        private final RequestStreamHandler handler;

        OfStreams(RequestStreamHandler handler) {
            this.handler = handler;
        }

        @Override
        public void handle(byte[] event, OutputStream answer, Context context) throws Throwable {
            handler.handleRequest(new java.io.ByteArrayInputStream(event), answer, context);
        }
    }

    private static final class OfStreamMethod implements Handler {
        private final Object target;
        private final Method method;
        private final boolean reads;
        private final boolean writes;
        private final boolean hasContext;

        OfStreamMethod(
                Class<?> type, Method method, boolean reads, boolean writes, boolean hasContext)
                throws Exception {
            target = target(type, method);
            this.method = method;
            this.reads = reads;
            this.writes = writes;
            this.hasContext = hasContext;
        }

        @Override
        public void handle(byte[] event, OutputStream answer, Context context) throws Throwable {
            List<Object> arguments = new ArrayList<Object>(3);
            if (reads) {
                arguments.add(new java.io.ByteArrayInputStream(event));
            }
            if (writes) {
                arguments.add(answer);
            }
            if (hasContext) {
                arguments.add(context);
            }
            call(method, target, arguments);
            if (!writes) {
                answer.write(Json.NULL);
            }
        }
    }

    /** Values in and out; a null type is not read, a void one not written. */
    private static final class OfValues implements Handler {
        private final ValueHandler handler;
        private final Type input;
        private final Type output;

        OfValues(ValueHandler handler, Type input, Type output) {
            this.handler = handler;
            this.input = input;
            this.output = output == Void.class || output == void.class ? null : output;
        }

        OfValues(final RequestHandler<Object, Object> handler, Type input, Type output) {
            this(
                    new ValueHandler() {
                        @Override
                        public Object handle(Object value, Context context) {
                            return handler.handleRequest(value, context);
                        }
                    },
                    input,
                    output);
        }

        @Override
        public void handle(byte[] event, OutputStream answer, Context context) throws Throwable {
            Object value;
            try {
                value = input == null ? null : Json.read(event, input);
            } catch (Throwable e) {
                throw new RuntimeException("An error occurred during JSON parsing", Trace.trim(e));
            }
            Object result = handler.handle(value, context);
            try {
                if (output == null) {
                    answer.write(Json.NULL);
                } else {
                    Json.write(result, answer, output);
                }
            } catch (Throwable e) {
                throw new RuntimeException(
                        "An error occurred during JSON serialization of response", e);
            }
        }
    }

    private interface ValueHandler {
        Object handle(Object value, Context context) throws Throwable;
    }

    private static final class CallsMethod implements ValueHandler {
        private final Object target;
        private final Method method;
        private final boolean hasInput;
        private final boolean hasContext;

        CallsMethod(Class<?> type, Method method, boolean hasInput, boolean hasContext)
                throws Exception {
            target = target(type, method);
            this.method = method;
            this.hasInput = hasInput;
            this.hasContext = hasContext;
        }

        @Override
        public Object handle(Object value, Context context) throws Throwable {
            List<Object> arguments = new ArrayList<Object>(2);
            if (hasInput) {
                arguments.add(value);
            }
            if (hasContext) {
                arguments.add(context);
            }
            return call(method, target, arguments);
        }
    }
}
