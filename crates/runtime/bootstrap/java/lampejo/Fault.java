package lampejo;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** A handler that cannot be found, loaded or called, in Lambda's words. */
final class Fault extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** Whether the process is of no more use. */
    final boolean isFatal;

    private final String errorType;
    private final String trace;

    Fault(String message) {
        super(message);
        isFatal = false;
        errorType = null;
        trace = null;
    }

    Fault(String message, Throwable error, boolean isFatal) {
        super(message);
        this.isFatal = isFatal;
        errorType = error.getClass().getName();
        trace = Trace.print(error);
    }

    /** Of something that was thrown. */
    static Fault of(Throwable error, boolean isFatal) {
        return new Fault(messageOf(error), error, isFatal);
    }

    static String messageOf(Throwable error) {
        String message = error.getLocalizedMessage();
        return message == null ? error.getClass().getName() : message;
    }

    /** What is logged. */
    String report() {
        if (errorType == null) {
            return getMessage() + "\n";
        }
        return getMessage() + ": " + errorType + "\n" + trace + "\n";
    }

    /** What the caller gets: without a stack, as Lambda has it. */
    byte[] document() {
        return encode(document(getMessage(), errorType));
    }

    /** What the caller gets of something that the handler threw. */
    static byte[] documentOf(Throwable error) {
        Map<String, Object> document = document(messageOf(error), error.getClass().getName());
        StackTraceElement[] frames = error.getStackTrace();
        String[] lines = new String[frames.length];
        for (int i = 0; i < frames.length; i++) {
            lines[i] = frames[i].toString();
        }
        document.put("stackTrace", lines);
        return encode(document);
    }

    private static Map<String, Object> document(String message, String errorType) {
        Map<String, Object> document = new LinkedHashMap<String, Object>();
        document.put("errorMessage", message);
        if (errorType != null) {
            document.put("errorType", errorType);
        }
        return document;
    }

    private static byte[] encode(Map<String, Object> document) {
        return new JsonWriter().write(document).getBytes(StandardCharsets.UTF_8);
    }
}
