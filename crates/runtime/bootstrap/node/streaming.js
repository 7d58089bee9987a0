// Responses that stream: the `awslambda` that handlers find, and the stream that they write to.
'use strict';

const { Writable } = require('stream');

const { Fault } = require('./errors.js');

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
// A JSON prelude with status, headers and cookies, eight zeros, then the body.
const HTTP_RESPONSE = 'application/vnd.awslambda.http-integration-response';
const AFTER_PRELUDE = Buffer.alloc(8);

const HttpResponseStream = {
  from(stream, prelude) {
    stream.setContentType(HTTP_RESPONSE);
    const text = JSON.stringify(prelude);
    stream._onBeforeFirstWrite = (write) => {
      write(text);
      write(AFTER_PRELUDE);
    };
    return stream;
  },
};

function streamifyResponse(handler, options) {
  handler[STREAMING] = 'response';
  const highWaterMark = Number.parseInt(options?.highWaterMark, 10);
  if (!Number.isNaN(highWaterMark)) handler[HIGH_WATER_MARK] = highWaterMark;
  return handler;
}

function defineGlobal() {
  const without = process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA;
  if (without === '1' || without === 'true') return;
  globalThis.awslambda = { ...globalThis.awslambda, streamifyResponse, HttpResponseStream };
}

function isStreaming(handler) {
  const mode = handler[STREAMING];
  if (mode === undefined || mode === null || mode === false) return false;
  if (mode === 'response') return true;
  throw new Fault('MalformedStreamingHandler', 'Only response streaming is supported.');
}

// Nothing leaves before the first write: until then an error is an ordinary one.
class ResponseStream extends Writable {
  constructor(client, requestId, handler) {
    super({ highWaterMark: handler[HIGH_WATER_MARK] });
    this.client = client;
    this.requestId = requestId;
    this.contentType = 'application/octet-stream';
    this.begun = false;
    this.finished = new Promise((resolve, reject) => {
      this.on('finish', resolve);
      this.on('error', reject);
      this.on('close', () => reject(new Error('Response stream is not finished.')));
    });
    // Whoever waits for it hears of it; nobody has to.
    this.finished.catch(() => {});
  }

  setContentType(contentType) {
    if (this.begun) throw new Fault('InvalidStreamingOperation', 'Cannot set content-type, too late.');
    this.contentType = contentType;
  }

  write(chunk, ...rest) {
    const plain = typeof chunk === 'string' || chunk instanceof Uint8Array;
    return super.write(plain ? chunk : JSON.stringify(chunk), ...rest);
  }

  _write(chunk, _, callback) {
    this.begin();
    this.client.sendChunk(chunk, callback);
  }

  _final(callback) {
    this.begin();
    this.client.endResponse(this.failure);
    callback();
  }

  begin() {
    if (this.begun) return;
    this.begun = true;
    this.client.beginResponse(this.requestId, this.contentType);
    this._onBeforeFirstWrite?.((chunk) => this.client.sendChunk(Buffer.from(chunk), () => {}));
  }

  // Ends a response that has begun with an error, after all that was written.
  fail(document) {
    if (this.writableFinished) return;
    this.failure = document;
    if (this.destroyed) this.client.endResponse(document);
    else if (!this.writableEnded) this.end();
  }
}

module.exports = { ResponseStream, defineGlobal, isStreaming };
