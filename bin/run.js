#!/usr/bin/env node
'use strict';

/**
 * The entry of `cluster`. It runs the program in dist/, building it first where the sources changed, and keeps V8's
 * compiled code beside it: that, and that a command loads no more than it needs, is what makes a start cheap.
 */
const fs = require('node:fs');
const path = require('node:path');
const { Bundle } = require('./bundle.js');
const { isClone, isFresh } = require('./fingerprint.js');

const root = path.dirname(__dirname);
const dist = path.join(root, 'dist');
const argv = process.argv.slice(2);

/** The exit code by which scripts/build.mjs says that it may not write here. */
const NOT_WRITABLE = 73;

function fail(/** @type {string} */ message) {
  process.stderr.write(`cluster: ${message}\n`);
  process.exit(1);
}

function openBundle() {
  try {
    return new Bundle(dist);
  } catch {
    return undefined;
  }
}

/** The program, built anew where its sources changed. */
function program() {
  const present = openBundle();
  if (present !== undefined && (!isClone(root) || isFresh(root, argv))) return present;
  if (isClone(root) && !fs.existsSync(path.join(root, 'node_modules')))
    fail(`the dependencies are not installed; run \`npm ci\` in ${root}`);
  if (!fs.existsSync(path.join(root, 'node_modules', 'esbuild'))) {
    if (present !== undefined) return present;
    fail(`there is no build and no esbuild to make one; run \`npm ci\` in ${root}`);
  }
  const built = require('node:child_process').spawnSync(
    process.execPath,
    [path.join(root, 'scripts', 'build.mjs'), '--quiet'],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  if (built.status === 0) return new Bundle(dist);
  if (present !== undefined && built.status === NOT_WRITABLE) return present;
  return fail(`the build failed (exit ${built.status ?? built.signal}); see above`);
}

/** Where compiled code is kept: beside the build, or at home where that may not be written. @param {string} name */
function codeFiles(name) {
  const home = process.env.XDG_CACHE_HOME || path.join(process.env.HOME || '/nonexistent', '.cache');
  return [path.join(dist, name), path.join(home, 'cluster', name)];
}

function keepCompiled(/** @type {Bundle} */ bundle, /** @type {string[]} */ files) {
  const code = bundle.code();
  for (const file of files) {
    try {
      if (path.dirname(file) !== dist) fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
      fs.writeFileSync(`${file}.${process.pid}`, code);
      fs.renameSync(`${file}.${process.pid}`, file);
      return;
    } catch {
      // A tree that is not ours to write: the next place, or none at all.
    }
  }
}

const bundle = program();
const files = codeFiles(bundle.codeName);
bundle.useCode(files);
process.once('exit', () => {
  if (bundle.fresh.size > 0) keepCompiled(bundle, files);
});
bundle
  .start()
  .main(argv)
  .then(() => {
    // Nothing is left to do: what Node takes down by itself would take longer than some commands.
    if (process.stdout.writableLength + process.stderr.writableLength === 0) process.exit();
  });
