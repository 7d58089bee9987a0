package lampejo;

import com.amazonaws.services.lambda.runtime.Context;
import java.io.OutputStream;

/** What serves invocations: bytes in, bytes out. */
interface Handler {
    void handle(byte[] event, OutputStream answer, Context context) throws Throwable;
}
