package lampejo;

import com.amazonaws.services.lambda.runtime.Client;
import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.CognitoIdentity;
import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaLogger;
import java.util.LinkedHashMap;
import java.util.Map;

/** The handler's second argument. */
final class InvocationContext implements Context {
    private final Invocation invocation;
    private final CognitoIdentity identity;
    private final ClientContext clientContext;

    InvocationContext(Invocation invocation) {
        this.invocation = invocation;
        Map<?, ?> identity = object(invocation.cognitoIdentity);
        this.identity = identity == null ? null : new Identity(identity);
        Map<?, ?> client = object(invocation.clientContext);
        clientContext = client == null ? null : new Mobile(client);
    }

    @Override
    public String getAwsRequestId() {
        return invocation.requestId;
    }

    @Override
    public String getLogGroupName() {
        return System.getenv("AWS_LAMBDA_LOG_GROUP_NAME");
    }

    @Override
    public String getLogStreamName() {
        return System.getenv("AWS_LAMBDA_LOG_STREAM_NAME");
    }

    @Override
    public String getFunctionName() {
        return System.getenv("AWS_LAMBDA_FUNCTION_NAME");
    }

    @Override
    public String getFunctionVersion() {
        return System.getenv("AWS_LAMBDA_FUNCTION_VERSION");
    }

    @Override
    public String getInvokedFunctionArn() {
        return invocation.functionArn;
    }

    @Override
    public CognitoIdentity getIdentity() {
        return identity;
    }

    @Override
    public ClientContext getClientContext() {
        return clientContext;
    }

    @Override
    public int getRemainingTimeInMillis() {
        return Math.max(0, (int) (invocation.deadlineMillis - System.currentTimeMillis()));
    }

    @Override
    public int getMemoryLimitInMB() {
        return Integer.parseInt(System.getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"));
    }

    @Override
    public LambdaLogger getLogger() {
        return Log.LOGGER;
    }

    @Override
    public String getTenantId() {
        return invocation.tenantId;
    }

    @Override
    public String getXrayTraceId() {
        return invocation.traceId;
    }

    private static Map<?, ?> object(String text) {
        return text == null || text.isEmpty() ? null : map(new JsonReader(text).read());
    }

    private static Map<?, ?> map(Object value) {
        return value instanceof Map ? (Map<?, ?>) value : null;
    }

    private static String text(Map<?, ?> from, String name) {
        Object value = from.get(name);
        return value == null ? null : value.toString();
    }

    private static Map<String, String> texts(Map<?, ?> from) {
        if (from == null) {
            return null;
        }
        Map<String, String> texts = new LinkedHashMap<String, String>();
        for (Object name : from.keySet()) {
            texts.put(name.toString(), text(from, name.toString()));
        }
        return texts;
    }

    private static final class Identity implements CognitoIdentity {
        private final Map<?, ?> values;

        Identity(Map<?, ?> values) {
            this.values = values;
        }

        @Override
        public String getIdentityId() {
            return text(values, "cognitoIdentityId");
        }

        @Override
        public String getIdentityPoolId() {
            return text(values, "cognitoIdentityPoolId");
        }
    }

    private static final class Mobile implements ClientContext, Client {
        private final Map<?, ?> values;
        private final Map<?, ?> client;

        Mobile(Map<?, ?> values) {
            this.values = values;
            client = map(values.get("client"));
        }

        @Override
        public Client getClient() {
            return client == null ? null : this;
        }

        @Override
        public Map<String, String> getCustom() {
            return texts(map(values.get("custom")));
        }

        @Override
        public Map<String, String> getEnvironment() {
            return texts(map(values.get("env")));
        }

        @Override
        public String getInstallationId() {
            return text(client, "installation_id");
        }

        @Override
        public String getAppTitle() {
            return text(client, "app_title");
        }

        @Override
        public String getAppVersionName() {
            return text(client, "app_version_name");
        }

        @Override
        public String getAppVersionCode() {
            return text(client, "app_version_code");
        }

        @Override
        public String getAppPackageName() {
            return text(client, "app_package_name");
        }
    }
}
