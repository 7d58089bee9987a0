// The Runtime API over one connection. Answers ask for the next event in the same write.
'use strict';

const net = require('net');

// The function may replace the global one.
const { performance } = globalThis;

// The server takes trailers of 64 KiB; an error's text and its trace have to fit.
const MAX_TRAILER_BYTES = 48 * 1024;
const MAX_MESSAGE_CHARS = 4096;
const NEXT = 'GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: runtime\r\n\r\n';

class Client {
  constructor(address) {
    const [host, port] = address.split(':');
    this.socket = net.connect({ host, port: Number(port), noDelay: true });
    this.received = Buffer.alloc(0);
    // Who waits for the next reply, first come first served.
    this.readers = [];
    this.asked = false;
    // Milliseconds when the function's loading began and ended; told with the first request.
    this.loaded = undefined;
    this.socket.on('data', (data) => this.receive(data));
    // The server has let go of this instance.
    this.socket.on('error', () => process.exit(0));
    this.socket.on('close', () => process.exit(0));
  }

  // Waits for an event. Only while waiting does the connection keep the event loop alive.
  async next() {
    this.socket.ref();
    if (!this.asked) this.socket.write(this.loaded ? firstNext(this.loaded) : NEXT);
    this.loaded = undefined;
    this.asked = false;
    const reply = await this.reply();
    this.socket.unref();
    return reply;
  }

  respond(requestId, body) {
    this.finish(`invocation/${requestId}/response`, body, '');
  }

  fail(requestId, document) {
    const body = JSON.stringify(document);
    this.finish(`invocation/${requestId}/error`, body, errorType(document));
  }

  // For a process that ends: asks for nothing, resolves when the server has it.
  failAndStop(requestId, document) {
    return this.send(`invocation/${requestId}/error`, document);
  }

  failInit(document) {
    return this.send('init/error', document);
  }

  // A response that streams: its head, its chunks, and its end, which may name an error.
  beginResponse(requestId, contentType) {
    this.socket.write(
      `POST /2018-06-01/runtime/invocation/${requestId}/response HTTP/1.1\r\nHost: runtime\r\n` +
        `Content-Type: ${printable(contentType)}\r\nTransfer-Encoding: chunked\r\n` +
        'Lambda-Runtime-Function-Response-Mode: streaming\r\n' +
        'Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n',
    );
  }

  // Calls back when the connection has room for more.
  sendChunk(chunk, callback) {
    if (chunk.length === 0) return callback();
    this.socket.cork();
    this.socket.write(`${chunk.length.toString(16)}\r\n`);
    this.socket.write(chunk);
    const hasRoom = this.socket.write('\r\n');
    this.socket.uncork();
    if (hasRoom) callback();
    else this.socket.once('drain', callback);
  }

  // Resolves when the server has it all.
  endResponse(failure) {
    this.socket.write(`0\r\n${failure ? trailers(failure) : ''}\r\n`);
    this.ended = this.reply();
  }

  send(path, document) {
    this.socket.ref();
    this.socket.write(post(path, JSON.stringify(document), errorType(document)));
    return this.reply();
  }

  finish(path, body, extra) {
    this.socket.ref();
    this.socket.write(post(path, body, extra) + NEXT);
    this.asked = true;
    this.reply();
  }

  reply() {
    return new Promise((resolve) => this.readers.push(resolve));
  }

  receive(data) {
    this.received = this.received.length === 0 ? data : Buffer.concat([this.received, data]);
    for (;;) {
      const end = this.received.indexOf('\r\n\r\n');
      if (end < 0) return;
      const headers = parseHeaders(this.received.toString('utf8', 0, end));
      const after = end + 4 + Number(headers['content-length']);
      if (this.received.length < after) return;
      const body = this.received.toString('utf8', end + 4, after);
      this.received = this.received.subarray(after);
      const reader = this.readers.shift();
      if (reader) reader({ headers, body });
    }
  }
}

function firstNext(loaded) {
  const [began, ended] = loaded.map((at) => Math.round((performance.now() - at) * 1000));
  return `${NEXT.slice(0, -2)}Lampejo-Loaded: ${began} ${ended}\r\n\r\n`;
}

function parseHeaders(head) {
  const headers = {};
  for (const line of head.split('\r\n').slice(1)) {
    const colon = line.indexOf(': ');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 2);
  }
  return headers;
}

function errorType(document) {
  return `Lambda-Runtime-Function-Error-Type: ${printable(document.errorType)}\r\n`;
}

function printable(value) {
  return String(value).replace(/[^\x20-\x7e]/g, '?');
}

function trailers(document) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64');
  let body = encode(document);
  if (body.length > MAX_TRAILER_BYTES) {
    const errorMessage = String(document.errorMessage).slice(0, MAX_MESSAGE_CHARS);
    body = encode({ ...document, errorMessage, trace: [] });
  }
  return `${errorType(document)}Lambda-Runtime-Function-Error-Body: ${body}\r\n`;
}

function post(path, body, extra) {
  return (
    `POST /2018-06-01/runtime/${path} HTTP/1.1\r\nHost: runtime\r\n` +
    `Content-Type: application/json\r\n${extra}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  );
}

module.exports = { Client };
