package com.amazonaws.services.lambda.runtime;

/** A handler of values: the runtime reads and writes their JSON. */
public interface RequestHandler<I, O> {
    O handleRequest(I input, Context context);
}
