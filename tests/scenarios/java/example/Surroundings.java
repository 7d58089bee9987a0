package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaRuntime;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.HashMap;
import java.util.Map;

/** What a function finds around it. */
public class Surroundings implements RequestHandler<Object, Map<String, Object>> {
    @Override
    public Map<String, Object> handleRequest(Object event, Context context) {
        Map<String, Object> found = new HashMap<>();
        found.put("requestId", context.getAwsRequestId());
        found.put("functionName", context.getFunctionName());
        found.put("functionVersion", context.getFunctionVersion());
        found.put("functionArn", context.getInvokedFunctionArn());
        found.put("memory", context.getMemoryLimitInMB());
        found.put("logGroup", context.getLogGroupName());
        found.put("logStream", context.getLogStreamName());
        found.put("left", context.getRemainingTimeInMillis());
        found.put("custom", context.getClientContext() == null ? null : context.getClientContext().getCustom());
        found.put("title", context.getClientContext() == null ? null : context.getClientContext().getClient().getAppTitle());
        found.put("sameLogger", context.getLogger() == LambdaRuntime.getLogger());
        found.put("variables", System.getenv());
        found.put("options", ManagementFactory.getRuntimeMXBean().getInputArguments());
        found.put("heap", Runtime.getRuntime().maxMemory());
        found.put("own", System.getProperty("own"));
        found.put("trace", System.getProperty("com.amazonaws.xray.traceHeader"));
        found.put("encoding", System.getProperty("file.encoding"));
        try {
            Path file = Files.write(Paths.get("/tmp", "äö.txt"), "ü".getBytes("UTF-8"));
            found.put("file", file.getFileName().toString() + Files.size(file));
        } catch (IOException e) {
            found.put("file", e.toString());
        }
        return found;
    }
}
