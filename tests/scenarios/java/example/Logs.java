package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;

/** Writes to the log in every way. */
public class Logs {
    public static void handle(Object event, Context context) {
        LambdaLogger logger = context.getLogger();
        logger.log("without a newline");
        logger.log("two\nlines\n");
        logger.log("some trouble", LogLevel.WARN);
        logger.log("small talk", LogLevel.DEBUG);
        logger.log("bytes".getBytes());
        System.out.println("printed ü");
        System.err.println("to the error stream");
    }
}
