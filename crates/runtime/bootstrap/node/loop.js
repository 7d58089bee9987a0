// One invocation after the other. A handler answers by its promise, by its callback, or by the
// context's old `succeed`, `fail` and `done`; the first answer counts.
'use strict';

const errors = require('./errors.js');
const log = require('./log.js');

// The id of the invocation under way; undefined before the first.
let current;
// What to do when nothing is left to do: an answer by callback waits for that.
let whenIdle;

function run(client, handler) {
  process.on('beforeExit', () => {
    const todo = whenIdle;
    whenIdle = undefined;
    todo?.();
  });
  const again = async () => {
    await serve(client, handler, await client.next());
    // Answered by now or later: `again` is called by whoever answers.
  };
  serve.again = again;
  setImmediate(again);
}

async function serve(client, handler, { headers, body }) {
  const invocation = new Invocation(client, headers);
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

class Invocation {
  constructor(client, headers) {
    this.client = client;
    this.headers = headers;
    this.id = headers['lambda-runtime-aws-request-id'];
    this.answered = false;
    this.waitsForIdle = true;
    current = this;
    log.setInvocation(this.id, headers['lambda-runtime-aws-tenant-id']);
    const traceId = headers['lambda-runtime-trace-id'];
    if (traceId) process.env._X_AMZN_TRACE_ID = traceId;
    else delete process.env._X_AMZN_TRACE_ID;
    // A handler that never answers and leaves nothing to wait for answers null.
    whenIdle = () => this.succeed(null);
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
    serve.again();
  }

  fail(error) {
    if (this.answered) return;
    const reason = error === undefined || error === null ? 'handled' : error;
    log.failure('Invoke Error', reason);
    this.finish();
    this.client.fail(this.id, errors.describe(reason));
    serve.again();
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
    else if (!current.answered) await client.failAndStop(current.id, document);
    process.exit(status);
  };
  process.on('uncaughtException', (error) => crash('Uncaught Exception', error, 129));
  process.on('unhandledRejection', (reason, promise) => {
    const error = new errors.Fault('UnhandledPromiseRejection', String(reason));
    crash('Unhandled Promise Rejection', Object.assign(error, { reason, promise }), 128);
  });
}

module.exports = { run, watchForCrashes };
