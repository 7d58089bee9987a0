// Failures under Lambda's names, and the document that a failure is reported as.
'use strict';

const util = require('util');

// An error that Lambda's own runtime reports: `Runtime.<name>`.
class Fault extends Error {
  constructor(name, message) {
    super(message);
    this.name = `Runtime.${name}`;
  }
}

// `{errorType, errorMessage, trace}`.
function describe(error) {
  try {
    if (util.types.isNativeError(error) || looksLikeError(error)) {
      return {
        errorType: error.name,
        errorMessage: error.message,
        trace: error.stack.split('\n'),
      };
    }
    return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage:
        'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack',
    };
  }
}

function looksLikeError(value) {
  return [value?.name, value?.message, value?.stack].every((part) => part && typeof part === 'string');
}

// An error as the log shows it: with its own enumerable properties.
function forLog(value) {
  const error = value instanceof Error ? value : new Error(value);
  try {
    return JSON.stringify(error, (_, part) => (part instanceof Error ? withProperties(part) : part));
  } catch {
    return JSON.stringify(describe(error));
  }
}

function withProperties(error) {
  const fields = { errorType: error.name, errorMessage: error.message, code: error.code, ...error };
  if (typeof error.stack === 'string') fields.stack = error.stack.split('\n');
  return fields;
}

module.exports = { Fault, describe, forLog };
