// One invocation after the other. A handler answers by its promise, by its callback, or by the
// context's old `succeed`, `fail` and `done`, and the first answer counts; or it streams.
'use strict';

const errors = require('./errors.js');
const log = require('./log.js');
const { ResponseStream } = require('./streaming.js');

// The id of the invocation under way; undefined before the first.
let current;
// What to do when nothing is left to do: an answer by callback waits for that.
let whenIdle;

// `serve` is `answer` or `stream`.
function run(client, handler, serve) {
  process.on('beforeExit', () => {
    const todo = whenIdle;
    whenIdle = undefined;
    todo?.();
  });
  const again = async () => {
    const { headers, body } = await client.next();
    // Answered now or later: `again` is called by whoever answers.
    serve(handler, new Invocation(client, headers, again), body);
  };
  setImmediate(again);
}

function answer(handler, invocation, body) {
  // A handler that never answers and leaves nothing to wait for answers null.
  whenIdle = () => invocation.succeed(null);
  try {
    const context = invocation.context();
    const result = handler(JSON.parse(body), context, (error, value) => invocation.callback(error, value));
    if (typeof result?.then === 'function') {
      result.then(context.succeed, context.fail).catch(context.fail);
    }
  } catch (error) {
    invocation.fail(error);
  }
}

async function stream(handler, invocation, body) {
  const response = new ResponseStream(invocation.client, invocation.id, handler);
  invocation.response = response;
  whenIdle = () => invocation.fail(new Error('Response stream is not finished.'));
  try {
    const { succeed, fail, done, ...context } = invocation.context();
    const result = handler(JSON.parse(body), response, context);
    if (typeof result?.then !== 'function') {
      throw new Error('Streaming does not support non-async handlers.');
    }
    if ((await result) !== undefined) console.warn('Streaming handlers ignore return values.');
    await response.finished;
    invocation.end();
  } catch (error) {
    invocation.fail(error);
  }
}

class Invocation {
  constructor(client, headers, again) {
    this.client = client;
    this.again = again;
    this.headers = headers;
    this.id = headers['lambda-runtime-aws-request-id'];
    this.answered = false;
    this.waitsForIdle = true;
    current = this;
    log.setInvocation(this.id, headers['lambda-runtime-aws-tenant-id']);
    const traceId = headers['lambda-runtime-trace-id'];
    if (traceId) process.env._X_AMZN_TRACE_ID = traceId;
    else delete process.env._X_AMZN_TRACE_ID;
  }

  succeed(value) {
    if (this.answered) return;
    let body;
    try {
      body = JSON.stringify(value === undefined ? null : value) ?? 'null';
    } catch (error) {
      this.fail(new errors.Fault('UnserializableResponse', `Unable to stringify response body: ${error}`));
      return;
    }
    this.finish();
    this.client.respond(this.id, body);
    this.again();
  }

  fail(error) {
    if (this.answered) return;
    const reason = error === undefined || error === null ? 'handled' : error;
    log.failure('Invoke Error', reason);
    this.finish();
    const document = errors.describe(reason);
    if (this.response?.begun) {
      this.response.fail(document);
      // What was written before goes first, however long that takes.
      this.response.finished.then(this.again, this.again);
      return;
    }
    this.response?.destroy();
    this.client.fail(this.id, document);
    this.again();
  }

  // The response has been streamed.
  end() {
    if (this.answered) return;
    this.finish();
    this.again();
  }

  // For a process that ends: resolves when the server knows why.
  async failAndStop(document) {
    this.finish();
    if (!this.response?.begun) return this.client.failAndStop(this.id, document);
    this.response.fail(document);
    await this.response.finished.catch(() => {});
    await this.client.ended;
  }

  callback(error, value) {
    if (error !== undefined && error !== null) this.fail(error);
    else if (!this.waitsForIdle) this.succeed(value);
    else if (!this.answered && !this.called) {
      this.called = true;
      whenIdle = () => setImmediate(() => this.succeed(value));
    }
  }

  finish() {
    this.answered = true;
    whenIdle = undefined;
  }

  context() {
    const invocation = this;
    const deadline = Number(this.headers['lambda-runtime-deadline-ms']);
    return {
      get callbackWaitsForEmptyEventLoop() {
        return invocation.waitsForIdle;
      },
      set callbackWaitsForEmptyEventLoop(waits) {
        invocation.waitsForIdle = waits;
      },
      succeed: (value) => this.succeed(value),
      fail: (error) => this.fail(error),
      done: (error, value) => (error === undefined || error === null ? this.succeed(value) : this.fail(error)),
      functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
      functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
      memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
      logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
      logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
      clientContext: parse(this.headers['lambda-runtime-client-context'], 'ClientContext'),
      identity: parse(this.headers['lambda-runtime-cognito-identity'], 'CognitoIdentity'),
      invokedFunctionArn: this.headers['lambda-runtime-invoked-function-arn'],
      awsRequestId: this.id,
      tenantId: this.headers['lambda-runtime-aws-tenant-id'],
      getRemainingTimeInMillis: () => deadline - Date.now(),
    };
  }
}

function parse(text, name) {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`Cannot parse ${name} as json: ${error}`);
  }
}

// What nobody catches ends the process, after the invocation (or the start) has been failed.
function watchForCrashes(client) {
  const crash = async (what, error, status) => {
    log.failure(what, error);
    const document = errors.describe(error);
    if (current === undefined) await client.failInit(document);
    else if (!current.answered) await current.failAndStop(document);
    process.exit(status);
  };
  process.on('uncaughtException', (error) => crash('Uncaught Exception', error, 129));
  process.on('unhandledRejection', (reason, promise) => {
    const error = new errors.Fault('UnhandledPromiseRejection', String(reason));
    crash('Unhandled Promise Rejection', Object.assign(error, { reason, promise }), 128);
  });
}

module.exports = { run, answer, stream, watchForCrashes };
