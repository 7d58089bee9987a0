package lampejo;

import com.amazonaws.services.lambda.runtime.LambdaRuntimeInternal;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOError;
import java.io.IOException;
import java.io.PrintStream;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Starts a Java function: {@code Bootstrap LAYER_FOLDER...}. Loads its handler, then serves one
 * invocation after the other. Read next: {@link Handlers}.
 *
 * <p>The start of an instance is measured in milliseconds: on the way to the first invocation there
 * are no lambdas, no regular expressions and no formats, which cost as much as the JVM's own start.
 */
public final class Bootstrap {
    private static final String TRACE_PROPERTY = "com.amazonaws.xray.traceHeader";

    private Bootstrap() {}

    public static void main(String[] layers) throws IOException {
        String api = System.getenv("AWS_LAMBDA_RUNTIME_API");
        run(api, System.getenv("LAMBDA_TASK_ROOT"), System.getenv("_HANDLER"), layers);
    }

    static void run(String address, String task, String handlerName, String[] layers)
            throws IOException {
        System.setOut(stream(FileDescriptor.out));
        System.setErr(stream(FileDescriptor.err));
        RuntimeApi api = new RuntimeApi(address);
        ClassLoader loader = classes(task, layers);
        Thread.currentThread().setContextClassLoader(loader);
        Handler handler;
        try {
            handler = Handlers.find(handlerName, loader);
        } catch (Fault fault) {
            Log.LOGGER.error(fault.report());
            api.failInit("Runtime.BadFunctionCode", fault.document());
            System.exit(1);
            return;
        }
        while (serve(api, handler, loader)) {
            // One after the other.
        }
        System.exit(0);
    }

    /** Unbuffered: what is printed is in the log even if the process is killed. */
    private static PrintStream stream(FileDescriptor descriptor) throws IOException {
        return new PrintStream(new FileOutputStream(descriptor), false, "UTF-8");
    }

    /**
     * Lambda's order: the package, its libraries, the layers' libraries. The runtime's interfaces
     * are the parent's, whichever the package brings.
     */
    private static ClassLoader classes(String task, String[] layers) throws MalformedURLException {
        List<URL> path = new ArrayList<URL>();
        path.add(new File(task).toURI().toURL());
        addJars(new File(task, "lib"), path);
        for (String layer : layers) {
            addJars(new File(layer, "java/lib"), path);
        }
        return new URLClassLoader(path.toArray(new URL[0]), Bootstrap.class.getClassLoader());
    }

    private static void addJars(File folder, List<URL> path) throws MalformedURLException {
        String[] names = folder.list();
        if (names == null) {
            return;
        }
        Arrays.sort(names);
        for (String name : names) {
            if (name.endsWith(".jar")) {
                path.add(new File(folder, name).toURI().toURL());
            }
        }
    }

    /** Serves one invocation; false if the process is of no more use. */
    private static boolean serve(RuntimeApi api, Handler handler, ClassLoader loader)
            throws IOException {
        Invocation invocation = api.next();
        if (invocation.traceId == null) {
            System.clearProperty(TRACE_PROPERTY);
        } else {
            System.setProperty(TRACE_PROPERTY, invocation.traceId);
        }
        Log.LOGGER.setInvocation(invocation);
        if (LambdaRuntimeInternal.getUseLog4jAppender()) {
            tellLog4j(loader, invocation.requestId);
        }
        try {
            ByteArrayOutputStream answer = new ByteArrayOutputStream(1024);
            handler.handle(invocation.event, answer, new InvocationContext(invocation));
            api.respond(invocation.requestId, answer.toByteArray());
            // The handler's, not the next one's.
            Thread.interrupted();
            return true;
        } catch (Fault fault) {
            api.fail(invocation.requestId, "Runtime.BadFunctionCode", fault.document());
            Log.LOGGER.error(fault.report());
            return !fault.isFatal;
        } catch (Throwable error) {
            Trace.trim(error);
            api.fail(invocation.requestId, "Runtime.UserException", Fault.documentOf(error));
            Log.LOGGER.error(new Fault(Fault.messageOf(error), error, false).report());
            return !(error instanceof VirtualMachineError || error instanceof IOError);
        }
    }

    private static void tellLog4j(ClassLoader loader, String requestId) {
        try {
            Class<?> context = loader.loadClass("org.apache.logging.log4j.ThreadContext");
            context.getMethod("put", String.class, String.class)
                    .invoke(null, "AWSRequestId", requestId);
        } catch (ReflectiveOperationException absent) {
            // Its lines then lack the id.
        }
    }
}
