#!/usr/bin/env node
'use strict';

/**
 * The entry of `cluster`. It runs the bundle in dist/, building it first where the sources are newer, and keeps V8's
 * compiled code beside it: that, and CommonJS, is what makes a start cheap.
 */
const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');

const root = path.dirname(__dirname);
const dist = path.join(root, 'dist');
const bundle = path.join(dist, 'cluster.cjs');

/** The exit code by which scripts/build.mjs says that it may not write here. */
const NOT_WRITABLE = 73;

function read(/** @type {string} */ file) {
  try {
    return fs.readFileSync(file);
  } catch {
    return undefined;
  }
}

function fail(/** @type {string} */ message) {
  process.stderr.write(`cluster: ${message}\n`);
  process.exit(1);
}

function buildWhereStale() {
  const present = fs.existsSync(bundle);
  const now = require('./fingerprint.js').fingerprint(root);
  if (now === undefined) {
    if (present) return;
  } else {
    if (!fs.existsSync(path.join(root, 'node_modules'))) {
      fail(`the dependencies are not installed; run \`npm ci\` in ${root}`);
    }
    if (present && read(path.join(dist, 'stamp'))?.toString() === now) return;
  }
  if (!fs.existsSync(path.join(root, 'node_modules', 'esbuild'))) {
    if (present) return;
    fail(`there is no build and no esbuild to make one; run \`npm ci\` in ${root}`);
  }
  const built = require('node:child_process').spawnSync(
    process.execPath,
    [path.join(root, 'scripts', 'build.mjs'), '--quiet'],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  if (built.status === 0 || (present && built.status === NOT_WRITABLE)) return;
  fail(`the build failed (exit ${built.status ?? built.signal}); see above`);
}

/** Compiled code is good for one bundle and one Node only, so its name carries both. */
function cacheFiles(/** @type {string} */ source) {
  const id = /^\/\*([0-9a-f]+)\*\//.exec(source.slice(0, 80))?.[1];
  if (id === undefined) return [];
  const name = `cluster-${id}-${process.version}-${process.arch}.cache`;
  const home = process.env.XDG_CACHE_HOME || path.join(process.env.HOME || '/nonexistent', '.cache');
  return [path.join(dist, name), path.join(home, 'cluster', name)];
}

function keepCompiled(/** @type {vm.Script} */ script, /** @type {string[]} */ files) {
  const data = script.createCachedData();
  for (const file of files) {
    try {
      if (path.dirname(file) !== dist) fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
      fs.writeFileSync(`${file}.${process.pid}`, data);
      fs.renameSync(`${file}.${process.pid}`, file);
      return;
    } catch {
      // A tree that is not ours to write: the next place, or no cache at all.
    }
  }
}

function load() {
  const source = fs.readFileSync(bundle, 'latin1');
  const files = cacheFiles(source);
  const cachedData = files.map(read).find((data) => data !== undefined);
  const script = new vm.Script(
    `(function (exports, require, module, __filename, __dirname) {${source}\n})`,
    cachedData === undefined ? { filename: bundle } : { filename: bundle, cachedData },
  );
  if (files.length > 0 && (cachedData === undefined || script.cachedDataRejected)) {
    process.once('exit', () => keepCompiled(script, files));
  }
  const mod = { exports: {} };
  script.runInThisContext()(mod.exports, require('node:module').createRequire(bundle), mod, bundle, dist);
  return mod.exports;
}

buildWhereStale();
load().main(process.argv.slice(2));
