package lampejo;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;

/** Stack traces that end where the runtime begins. */
final class Trace {
    private static final String OURS = Trace.class.getPackage().getName() + ".";

    private Trace() {}

    static String print(Throwable error) {
        trim(error);
        StringWriter text = new StringWriter();
        error.printStackTrace(new PrintWriter(text));
        return text.toString();
    }

    /** Takes the runtime's own frames from it, its causes and what it suppressed. */
    static <T extends Throwable> T trim(T error) {
        Set<Throwable> seen =
                Collections.newSetFromMap(new IdentityHashMap<Throwable, Boolean>());
        trim(error, seen);
        return error;
    }

    private static void trim(Throwable error, Set<Throwable> seen) {
        if (error == null || !seen.add(error)) {
            return;
        }
        StackTraceElement[] frames = error.getStackTrace();
        for (int i = 0; i < frames.length; i++) {
            if (frames[i].getClassName().startsWith(OURS)) {
                error.setStackTrace(Arrays.copyOf(frames, i));
                break;
            }
        }
        trim(error.getCause(), seen);
        for (Throwable suppressed : error.getSuppressed()) {
            trim(suppressed, seen);
        }
    }
}
