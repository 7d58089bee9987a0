package example;

import java.util.ArrayList;
import java.util.List;

/** Handlers that fail, each its own way. */
public class Failures {
    public static String thrown(Object event) {
        try {
            throw new IllegalStateException("inside");
        } catch (IllegalStateException e) {
            throw new IllegalArgumentException("so it is", e);
        }
    }

    public static String silent(Object event) { throw new UnsupportedOperationException(); }

    public static Object unwritable(Object event) { return new Bad(); }

    public static String exits(int status) {
        System.exit(status);
        return "";
    }

    public static String sleeps(int seconds) throws InterruptedException {
        Thread.sleep(1000L * seconds);
        return "awake";
    }

    public static int fillsTheHeap(Object event) {
        List<byte[]> kept = new ArrayList<>();
        while (true) {
            kept.add(new byte[1 << 20]);
        }
    }

    public static class Bad {
        public String getWorse() { throw new IllegalStateException("no"); }
    }

    public static class InStatic {
        static {
            if (true) throw new IllegalStateException("static trouble");
        }

        public String handle(Object event) { return ""; }
    }

    public static class InConstructor {
        public InConstructor() { throw new IllegalStateException("constructor trouble"); }

        public String handle(Object event) { return ""; }
    }

    public class Inner {
        public String handle(Object event) { return ""; }
    }
}
