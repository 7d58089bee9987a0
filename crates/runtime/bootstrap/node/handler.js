// Finds the function that `Handler` names: `file.function`, `folder/file.object.function`.
'use strict';

const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');

const { Fault } = require('./errors.js');

async function load(root, name) {
  if (name.includes('..')) {
    const advice = 'Use absolute paths when specifying root directories in handler names.';
    throw new Fault('MalformedHandlerName', `'${name}' is not a valid handler name. ${advice}`);
  }
  const base = path.basename(name);
  const folder = name.slice(0, name.indexOf(base));
  const dot = base.indexOf('.');
  if (dot < 0) throw new Fault('MalformedHandlerName', 'Bad handler');

  const exported = await loadModule(root, folder, base.slice(0, dot));
  const found = base
    .slice(dot + 1)
    .split('.')
    .reduce((value, key) => value && value[key], exported);
  if (!found) throw new Fault('HandlerNotFound', `${name} is undefined or not exported`);
  if (typeof found !== 'function') throw new Fault('HandlerNotFound', `${name} is not a function`);
  return found;
}

async function loadModule(root, folder, file) {
  try {
    return await find(root, folder, file);
  } catch (error) {
    const known =
      error instanceof SyntaxError
        ? 'UserCodeSyntaxError'
        : error?.code === 'MODULE_NOT_FOUND'
          ? 'ImportModuleError'
          : undefined;
    if (known === undefined) throw error;
    const fault = new Fault(known, String(error));
    // Node puts the place of a syntax error above the message.
    if (typeof error.stack === 'string' && known === 'UserCodeSyntaxError') {
      fault.stack = `${fault.name}: ${error}\n${error.stack}`;
    }
    throw fault;
  }
}

// Lambda's order: the name itself, .js, .mjs, .cjs, TypeScript where Node runs it, then a package.
async function find(root, folder, file) {
  const stem = path.resolve(root, folder, file);
  const isModule = inModulePackage(path.dirname(stem));
  const typeScript = Number(process.versions.node.split('.')[0]) >= 24;
  const candidates = [
    ['', false],
    ['.js', isModule],
    ['.mjs', true],
    ['.cjs', false],
    ...(typeScript ? [['.ts', isModule], ['.mts', true], ['.cts', false]] : []),
  ];
  for (const [extension, asModule] of candidates) {
    const candidate = stem + extension;
    if (!fs.statSync(candidate, { throwIfNoEntry: false })?.isFile()) continue;
    return asModule ? import(pathToFileURL(candidate).href) : require(candidate);
  }
  return require(require.resolve(file, { paths: [root, folder] }));
}

// Whether the nearest package.json says `"type": "module"`.
function inModulePackage(folder) {
  if (folder.endsWith('/node_modules')) return false;
  const file = path.join(folder, 'package.json');
  if (fs.existsSync(file)) {
    try {
      return JSON.parse(fs.readFileSync(file, 'utf8'))?.type === 'module';
    } catch (error) {
      console.warn(`${file} cannot be read, it will be ignored for ES module detection purposes.`, error);
      return false;
    }
  }
  return folder !== '/' && inModulePackage(path.dirname(folder));
}

module.exports = { load };
