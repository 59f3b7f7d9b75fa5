'use strict';

const fs = require('node:fs');
const path = require('node:path');

/** Stamps of what a build was made of, beside it. They are no part of it: it is the same in every clone. */
const STAMPS = path.join('dist', 'stamps.json');

/** What is in every build beside the files of src/ that its index names. */
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
 * The stamps of the files that went into a build, by their paths.
 * @param {string} root @param {Iterable<string>} files those of src/
 */
function stamps(root, files) {
  return Object.fromEntries([...ALWAYS, ...files].map((file) => [file, stampOf(path.join(root, file))]));
}

/**
 * Whether the files that this command line can need are what they were when the build was made. Those of other commands
 * are not looked at: that would take longer than a short command does.
 * @param {string} root @param {import('./bundle.js').Index} index @param {readonly string[]} argv
 */
function isFresh(root, index, argv) {
  const command = commandOf(index, argv);
  const others = new Set(command === undefined ? [] : Object.values(index.commands));
  const parts = new Set(command === undefined ? ['index.js'] : ['index.js', command]);
  const needed = new Set(ALWAYS);
  for (const part of parts) {
    for (const source of index.parts[part]?.sources ?? []) needed.add(source);
    for (const next of index.parts[part]?.imports ?? []) if (!others.has(next)) parts.add(next);
  }
  const then = readStamps(root);
  for (const file of needed) if (then[file] !== stampOf(path.join(root, file))) return false;
  return true;
}

/** @param {string} root @returns {Record<string, string>} */
function readStamps(root) {
  try {
    return JSON.parse(fs.readFileSync(path.join(root, STAMPS), 'utf8'));
  } catch {
    return {};
  }
}

/** The part of the command that the line begins with. @param {import('./bundle.js').Index} index @param {readonly string[]} argv */
function commandOf(index, argv) {
  const end = argv.findIndex((word) => !/^[a-z][a-z0-9_-]*$/.test(word));
  const words = argv.slice(0, Math.min(3, end === -1 ? argv.length : end));
  for (let length = words.length; length > 0; length--) {
    const part = index.commands[words.slice(0, length).join(':')];
    if (part !== undefined) return part;
  }
  return undefined;
}

module.exports = { STAMPS, isClone, isFresh, stamps };
