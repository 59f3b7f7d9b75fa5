'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { makePack, packOf } = require('./bundle.js');

/**
 * What the sources of each command looked like when it was built. It is no part of the program, which is the same in
 * every clone.
 */
const STAMPS = path.join('dist', 'cluster.stamps');
/** Stands for all commands. */
const ALL = '*';
/** What is in every build beside files of src/. */
const ALWAYS = ['package.json', 'scripts/build.mjs'];

/** A file's size and time of change; empty where there is none. @param {string} file */
function stampOf(file) {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.size}:${stat.mtimeMs}`;
}

/** Whether there are sources to build from: not in a release, which is no clone. @param {string} root */
function isClone(root) {
  return fs.existsSync(path.join(root, '.git')) && fs.existsSync(path.join(root, 'src'));
}

/**
 * What STAMPS is to hold. A file that changed after `began` may not be what was built.
 * @param {string} root @param {number} began @param {Map<string, Iterable<string>>} commands their files in src/
 */
function stamps(root, began, commands) {
  const pieces = new Map();
  for (const [command, files] of commands) {
    const found = [...ALWAYS, ...files].map((file) => {
      const stamp = stampOf(`${root}/${file}`);
      return [file, Number(stamp.split(':')[1]) < began ? stamp : 'unknown'];
    });
    pieces.set(command, Buffer.from(JSON.stringify(found)));
  }
  return makePack(null, pieces);
}

/**
 * Whether the files that this command line can need are what they were when the program was built. Those of other
 * commands are not looked at: that would take longer than a short command does.
 * @param {string} root @param {readonly string[]} argv
 */
function isFresh(root, argv) {
  const known = packOf(path.join(root, STAMPS));
  if (known === undefined) return false;
  const end = argv.findIndex((word) => !/^[a-z][a-z0-9_-]*$/.test(word));
  const words = argv.slice(0, Math.min(3, end === -1 ? argv.length : end));
  while (words.length > 0 && !(words.join(':') in known.places)) words.pop();
  /** @type {[string, string][]} */
  const files = JSON.parse(known.piece(words.join(':') || ALL)?.toString() ?? '[["",""]]');
  return files.every(([file, stamp]) => stampOf(`${root}/${file}`) === stamp);
}

module.exports = { ALL, STAMPS, isClone, isFresh, stamps };
