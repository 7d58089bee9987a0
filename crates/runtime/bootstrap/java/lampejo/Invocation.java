package lampejo;

import java.util.Map;

/** One event and what came with it. */
final class Invocation {
    final String requestId;
    final long deadlineMillis;
    final String functionArn;
    final String traceId;
    final String clientContext;
    final String cognitoIdentity;
    final String tenantId;
    final byte[] event;

    Invocation(Map<String, String> headers, byte[] event) {
        requestId = headers.get("lambda-runtime-aws-request-id");
        deadlineMillis = Long.parseLong(headers.get("lambda-runtime-deadline-ms"));
        functionArn = headers.get("lambda-runtime-invoked-function-arn");
        traceId = headers.get("lambda-runtime-trace-id");
        clientContext = headers.get("lambda-runtime-client-context");
        cognitoIdentity = headers.get("lambda-runtime-cognito-identity");
        tenantId = headers.get("lambda-runtime-aws-tenant-id");
        this.event = event;
    }
}
