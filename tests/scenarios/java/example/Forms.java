package example;

import com.amazonaws.services.lambda.runtime.Context;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Every signature that a handler may have. */
public class Forms {
    public String text(String text) { return text + "!"; }

    public static int number(int number, Context context) { return number + 1; }

    public List<Integer> list(List<Integer> list) {
        list.add(list.size());
        return list;
    }

    public Order order(Order order, Context context) {
        order.setCount(order.getCount() * 2);
        return order;
    }

    public Object nothing() { return null; }

    public void onlyContext(Context context) { context.getLogger().log("called"); }

    public Map<String, Object> anything(Object event) {
        Map<String, Object> kinds = new HashMap<>();
        for (Map.Entry<?, ?> entry : ((Map<?, ?>) event).entrySet()) {
            kinds.put(entry.getKey().toString(), entry.getValue().getClass().getSimpleName());
        }
        return kinds;
    }

    public void streams(InputStream in, OutputStream out, Context context) throws IOException {
        out.write("{\"got\":".getBytes(StandardCharsets.UTF_8));
        byte[] buffer = new byte[1024];
        int read = in.read(buffer);
        out.write(Arrays.copyOf(buffer, read));
        out.write('}');
    }

    public void input(InputStream in) throws IOException { in.read(); }

    public void output(OutputStream out) throws IOException { out.write("[7]".getBytes()); }

    public String overloaded(String event) { return "short"; }

    public String overloaded(String event, Context context) { return "long"; }

    public Order[] array(long[] counts) {
        Order[] orders = new Order[counts.length];
        for (int i = 0; i < counts.length; i++) {
            orders[i] = new Order();
            orders[i].setCount((int) counts[i]);
        }
        return orders;
    }

    public String tooMany(String one, String other, String more) { return ""; }
}
