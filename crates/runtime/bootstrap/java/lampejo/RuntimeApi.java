package lampejo;

import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/**
 * The Runtime API over one connection. An answer and the request for the next event are one write,
 * so that their replies come with the next event.
 */
final class RuntimeApi {
    private static final byte[] NEXT =
            bytes("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: runtime\r\n\r\n");
    private static final int BUFFER_BYTES = 65536;

    private final InputStream in;
    private final OutputStream out;
    private final byte[] received = new byte[BUFFER_BYTES];
    private int from;
    private int to;
    private boolean asked;
    private boolean answered;

    RuntimeApi(String address) throws IOException {
        int colon = address.lastIndexOf(':');
        Socket socket = new Socket(ip(address.substring(0, colon)), port(address, colon));
        socket.setTcpNoDelay(true);
        in = socket.getInputStream();
        out = new BufferedOutputStream(socket.getOutputStream(), BUFFER_BYTES);
    }

    /** Waits for an event. */
    Invocation next() throws IOException {
        if (!asked) {
            out.write(NEXT);
            out.flush();
        }
        Map<String, String> headers = new HashMap<String, String>();
        if (answered) {
            receive(headers);
            headers.clear();
        }
        asked = false;
        answered = false;
        byte[] event = receive(headers);
        return new Invocation(headers, event);
    }

    void respond(String requestId, byte[] answer) throws IOException {
        finish("invocation/" + requestId + "/response", "", answer);
    }

    /** Reports that the handler failed. */
    void fail(String requestId, String errorType, byte[] document) throws IOException {
        finish("invocation/" + requestId + "/error", errorType, document);
    }

    /** Reports that there is no handler to run. The process should end then. */
    void failInit(String errorType, byte[] document) throws IOException {
        post("init/error", errorType, document);
        out.flush();
        receive(new HashMap<String, String>());
    }

    private void finish(String path, String errorType, byte[] body) throws IOException {
        post(path, errorType, body);
        out.write(NEXT);
        out.flush();
        asked = true;
        answered = true;
    }

    private void post(String path, String errorType, byte[] body) throws IOException {
        StringBuilder head = new StringBuilder(256);
        head.append("POST /2018-06-01/runtime/").append(path).append(" HTTP/1.1\r\n");
        head.append("Host: runtime\r\nContent-Type: application/json\r\n");
        if (!errorType.isEmpty()) {
            head.append("Lambda-Runtime-Function-Error-Type: ").append(errorType).append("\r\n");
        }
        head.append("Content-Length: ").append(body.length).append("\r\n\r\n");
        out.write(bytes(head.toString()));
        out.write(body);
    }

    /** Reads one reply: its headers, in lower case, into the map, and its body. */
    private byte[] receive(Map<String, String> headers) throws IOException {
        line();
        for (String line = line(); !line.isEmpty(); line = line()) {
            int colon = line.indexOf(": ");
            headers.put(lower(line.substring(0, colon)), line.substring(colon + 2));
        }
        byte[] body = new byte[Integer.parseInt(headers.get("content-length"))];
        int filled = Math.min(body.length, to - from);
        System.arraycopy(received, from, body, 0, filled);
        from += filled;
        while (filled < body.length) {
            filled += some(body, filled);
        }
        return body;
    }

    private String line() throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream(128);
        while (true) {
            if (from == to) {
                from = 0;
                to = some(received, 0);
            }
            byte next = received[from++];
            if (next == '\n') {
                return new String(line.toByteArray(), StandardCharsets.UTF_8);
            }
            if (next != '\r') {
                line.write(next);
            }
        }
    }

    private int some(byte[] into, int offset) throws IOException {
        int read = in.read(into, offset, into.length - offset);
        if (read < 0) {
            // The server has let go of this instance.
            System.exit(0);
        }
        return read;
    }

    /** An address in numbers, without asking a resolver. */
    private static InetAddress ip(String numbers) throws IOException {
        byte[] address = new byte[4];
        int start = 0;
        for (int i = 0; i < 4; i++) {
            int dot = i < 3 ? numbers.indexOf('.', start) : numbers.length();
            address[i] = (byte) Integer.parseInt(numbers.substring(start, dot));
            start = dot + 1;
        }
        return Inet4Address.getByAddress(address);
    }

    private static int port(String address, int colon) {
        return Integer.parseInt(address.substring(colon + 1));
    }

    private static String lower(String name) {
        return name.toLowerCase(java.util.Locale.ROOT);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
