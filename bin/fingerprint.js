'use strict';

const fs = require('node:fs');
const path = require('node:path');

const EXTRA = ['package.json', 'scripts/build.mjs'];

/**
 * What the sources look like right now, cheaply: number, sizes and newest change of the files that go into the
 * bundle. Undefined where there is nothing to compare: an installed package, or not a git checkout.
 * @param {string} root
 * @returns {string | undefined}
 */
function fingerprint(root) {
  const src = path.join(root, 'src');
  if (!fs.existsSync(src) || !fs.existsSync(path.join(root, '.git'))) return undefined;
  let files = 0;
  let bytes = 0;
  let newest = 0;
  const look = (/** @type {string} */ file) => {
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    if (stat === undefined) return;
    files += 1;
    bytes += stat.size;
    if (stat.mtimeMs > newest) newest = stat.mtimeMs;
  };
  const walk = (/** @type {string} */ directory) => {
    for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
      const name = entry.name;
      if (entry.isDirectory()) walk(`${directory}/${name}`);
      else if (name.endsWith('.ts') && !name.endsWith('.test.ts') && name !== 'commands.gen.ts') {
        look(`${directory}/${name}`);
      }
    }
  };
  walk(src);
  for (const name of EXTRA) look(path.join(root, name));
  return `${files}:${bytes}:${newest}`;
}

module.exports = { fingerprint };
