package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.Map;

/** The plainest handler; counts what it has served. */
public class Hello implements RequestHandler<Map<String, String>, String> {
    private int served;

    @Override
    public String handleRequest(Map<String, String> event, Context context) {
        served++;
        return "Hello " + event.get("name") + " " + served + " on " + System.getProperty("java.specification.version");
    }
}
