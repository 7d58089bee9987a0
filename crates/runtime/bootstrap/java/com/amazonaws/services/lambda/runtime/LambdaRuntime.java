package com.amazonaws.services.lambda.runtime;

import lampejo.Log;

/** The logger, for code that has no context at hand. */
public final class LambdaRuntime {
    private LambdaRuntime() {}

    public static LambdaLogger getLogger() {
        return Log.LOGGER;
    }
}
