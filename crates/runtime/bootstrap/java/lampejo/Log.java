package lampejo;

import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;

/** The function's logger: as text or as JSON records, one message each call. */
public final class Log implements LambdaLogger {
    public static final Log LOGGER = new Log();

    /** A message's own newlines are written as this, so that the server keeps it together. */
    private static final byte SEPARATOR = 0x1e;

    private final FileOutputStream out = new FileOutputStream(FileDescriptor.out);
    private final boolean isJson = "JSON".equalsIgnoreCase(System.getenv("AWS_LAMBDA_LOG_FORMAT"));
    private final LogLevel least = least(System.getenv("AWS_LAMBDA_LOG_LEVEL"));
    private volatile Invocation invocation;

    private Log() {}

    void setInvocation(Invocation invocation) {
        this.invocation = invocation;
    }

    @Override
    public void log(String message) {
        log(message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(byte[] message) {
        log(message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(String message, LogLevel level) {
        if (isWanted(level)) {
            write(bytes(isJson ? record(message, level) : line(message, level)));
        }
    }

    @Override
    public void log(byte[] message, LogLevel level) {
        if (isWanted(level)) {
            write(message == null ? bytes("null") : message);
        }
    }

    /** A failed invocation or start. */
    void error(String report) {
        log(report, isJson ? LogLevel.ERROR : LogLevel.UNDEFINED);
    }

    private boolean isWanted(LogLevel level) {
        return level == LogLevel.UNDEFINED || level.compareTo(least) >= 0;
    }

    private static String line(String message, LogLevel level) {
        return level == LogLevel.UNDEFINED ? String.valueOf(message) : "[" + level + "] " + message;
    }

    private String record(String message, LogLevel level) {
        Map<String, Object> record = new LinkedHashMap<String, Object>();
        record.put("timestamp", timestamp());
        record.put("message", message);
        record.put("level", level.name());
        if (invocation != null) {
            record.put("AWSRequestId", invocation.requestId);
        }
        if (invocation != null && invocation.tenantId != null) {
            record.put("tenantId", invocation.tenantId);
        }
        return new JsonWriter().write(record);
    }

    /** With three digits of milliseconds, even if they are zeros. */
    private static String timestamp() {
        String text = Instant.ofEpochMilli(System.currentTimeMillis()).toString();
        return text.indexOf('.') < 0 ? text.substring(0, text.length() - 1) + ".000Z" : text;
    }

    private synchronized void write(byte[] message) {
        int length = message.length;
        if (length > 0 && message[length - 1] == '\n') {
            length--;
        }
        byte[] line = java.util.Arrays.copyOf(message, length + 1);
        for (int i = 0; i < length; i++) {
            if (line[i] == '\n') {
                line[i] = SEPARATOR;
            }
        }
        line[length] = '\n';
        try {
            out.write(line);
        } catch (IOException e) {
            // Nobody reads the log any more.
        }
    }

    private static LogLevel least(String name) {
        try {
            return LogLevel.fromString(name == null || name.isEmpty() ? "UNDEFINED" : name);
        } catch (IllegalArgumentException unknown) {
            return LogLevel.UNDEFINED;
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
