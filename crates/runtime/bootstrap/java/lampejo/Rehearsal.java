package lampejo;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * One invocation that is served from here, while the JVM notes which classes it takes: it keeps
 * them in an archive, and functions start from that.
 */
public final class Rehearsal implements RequestHandler<Map<String, Object>, Object> {
    private static final String EVENT = "{\"a\":[1,\"b\",null,true]}";

    @Override
    public Object handleRequest(Map<String, Object> event, Context context) {
        context.getLogger().log("rehearsed");
        return event;
    }

    public static void main(String[] arguments) throws IOException {
        final ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        new Thread() {
            @Override
            public void run() {
                try (Socket socket = server.accept()) {
                    invoke(socket);
                } catch (IOException e) {
                    // The other end then sees the same.
                }
            }
        }.start();
        String api = "127.0.0.1:" + server.getLocalPort();
        Bootstrap.run(api, ".", Rehearsal.class.getName(), arguments);
    }

    private static void invoke(Socket socket) throws IOException {
        byte[] buffer = new byte[4096];
        socket.getInputStream().read(buffer);
        OutputStream out = socket.getOutputStream();
        String head = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: rehearsal\r\n"
                + "Lambda-Runtime-Deadline-Ms: 0\r\nContent-Length: " + EVENT.length() + "\r\n\r\n";
        out.write((head + EVENT).getBytes(StandardCharsets.US_ASCII));
        out.flush();
        socket.getInputStream().read(buffer);
    }
}
