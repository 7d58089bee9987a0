// The console as Lambda has it: `time \t request id \t LEVEL \t message`, or one JSON object.
'use strict';

const fs = require('fs');
const util = require('util');

const errors = require('./errors.js');

// A message's own newlines are written as this character, so that the server keeps it together.
const SEPARATOR = '\x1e';
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const JSON_FORMAT = (process.env.AWS_LAMBDA_LOG_FORMAT ?? '').toUpperCase() === 'JSON';
// Lambda keeps the request's id here, where logging libraries read it.
const REQUEST_ID = Symbol.for('aws.lambda.runtime.requestId');
let tenantId;

function setInvocation(id, tenant) {
  globalThis[REQUEST_ID] = id;
  tenantId = tenant;
}

function patchConsole() {
  const lowest = Math.max(0, LEVELS.indexOf((process.env.AWS_LAMBDA_LOG_LEVEL ?? '').toUpperCase()));
  const at = (level) =>
    LEVELS.indexOf(level) < lowest ? () => {} : (...parts) => write(level, parts);
  console.trace = at('TRACE');
  console.debug = at('DEBUG');
  console.info = console.log = at('INFO');
  console.warn = at('WARN');
  console.error = at('ERROR');
  console.fatal = at('FATAL');
}

function write(level, parts) {
  const time = new Date().toISOString();
  const requestId = globalThis[REQUEST_ID];
  const line = JSON_FORMAT
    ? jsonLine(time, requestId, level, parts)
    : `${time}\t${requestId}\t${level}\t${util.format(...parts)}`;
  writeAll(Buffer.from(line.replace(/\n/g, SEPARATOR) + '\n'));
}

function writeAll(data) {
  while (data.length > 0) {
    try {
      data = data.subarray(fs.writeSync(1, data));
    } catch (error) {
      // Using `process.stdout` makes the pipe non-blocking: full means try again.
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

function jsonLine(timestamp, requestId, level, parts) {
  const record = { timestamp, level, requestId, tenantId };
  if (parts.length === 1) {
    record.message = parts[0];
    try {
      return JSON.stringify(record, (_, value) => (value instanceof Error ? errorFields(value, true) : value));
    } catch {
      record.message = util.format(parts[0]);
      return JSON.stringify(record);
    }
  }
  record.message = util.format(...parts);
  const error = parts.find((part) => part instanceof Error);
  return JSON.stringify(error ? { ...record, ...errorFields(error, false) } : record);
}

function errorFields(error, own) {
  const fields = {
    errorType: error.constructor?.name ?? 'UnknownError',
    errorMessage: error.message,
    stackTrace: typeof error.stack === 'string' ? error.stack.split('\n') : [],
  };
  return own ? Object.assign(fields, error) : fields;
}

// A failed invocation or start; `what` is Lambda's word for it.
function failure(what, error) {
  if (JSON_FORMAT) {
    console.error(error instanceof Error ? error : new Error(error));
  } else {
    console.error(what, `\t${errors.forLog(error)}`);
  }
}

module.exports = { patchConsole, setInvocation, failure };
