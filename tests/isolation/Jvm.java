import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;

/** What a JVM does within its limits, and beyond them. */
public class Jvm {
    private static final int MEBIBYTE = 1 << 20;

    public static String within(Object event) throws Exception {
        List<byte[]> kept = new ArrayList<>();
        for (int i = 0; i < 30; i++) {
            byte[] block = new byte[MEBIBYTE];
            java.util.Arrays.fill(block, (byte) 1);
            kept.add(block);
        }
        Thread[] threads = new Thread[20];
        for (int i = 0; i < threads.length; i++) {
            threads[i] = new Thread(() -> Math.sqrt(2));
            threads[i].start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        return "uid " + Files.getAttribute(Paths.get("/proc/self"), "unix:uid") + ", " + kept.size() + " MiB";
    }

    /** Memory that the collector does not know of. */
    public static int beyond(Object event) {
        List<ByteBuffer> kept = new ArrayList<>();
        while (true) {
            ByteBuffer block = ByteBuffer.allocateDirect(MEBIBYTE);
            for (int at = 0; at < MEBIBYTE; at += 4096) {
                block.put(at, (byte) 1);
            }
            kept.add(block);
        }
    }
}
