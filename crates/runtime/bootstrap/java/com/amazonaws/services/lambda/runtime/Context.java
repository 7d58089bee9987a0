package com.amazonaws.services.lambda.runtime;

/** What a handler may ask about its invocation. */
public interface Context {
    String getAwsRequestId();

    String getLogGroupName();

    String getLogStreamName();

    String getFunctionName();

    String getFunctionVersion();

    String getInvokedFunctionArn();

    CognitoIdentity getIdentity();

    ClientContext getClientContext();

    int getRemainingTimeInMillis();

    int getMemoryLimitInMB();

    LambdaLogger getLogger();

    /** Added after the others: handlers' own implementations may lack it. */
    default String getTenantId() {
        return null;
    }

    /** Added after the others: handlers' own implementations may lack it. */
    default String getXrayTraceId() {
        return null;
    }
}
