// Starts a Node.js function. Read next: `loop.js` (one invocation after the other), `handler.js`
// (finding the function), `streaming.js` (responses in pieces), `log.js` (the console), `errors.js`
// (what a failure looks like).
'use strict';

const { Client } = require('./client.js');
const errors = require('./errors.js');
const handler = require('./handler.js');
const log = require('./log.js');
const loop = require('./loop.js');
const streaming = require('./streaming.js');

async function main() {
  log.patchConsole();
  streaming.defineGlobal();
  const client = new Client(process.env.AWS_LAMBDA_RUNTIME_API);
  loop.watchForCrashes(client);
  const began = performance.now();
  let found;
  let serve;
  try {
    found = await handler.load(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);
    serve = streaming.isStreaming(found) ? loop.stream : loop.answer;
  } catch (error) {
    log.failure('Uncaught Exception', error);
    await client.failInit(errors.describe(error));
    process.exit(1);
  }
  client.loaded = [began, performance.now()];
  loop.run(client, found, serve);
}

main();
