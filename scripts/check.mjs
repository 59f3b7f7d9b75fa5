/** Types, lint and format, layer rules, unused code, stale generated files: all of them, then one verdict. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { bootstrap, root } from './bootstrap.mjs';

bootstrap();
const bin = (/** @type {string} */ name) => path.join(root, 'node_modules', '.bin', name);

const tools = [
  ['types', [bin('tsc'), '--noEmit', '-p', '.']],
  ['lint and format', [bin('biome'), 'check', '.']],
  ['layers', [bin('depcruise'), '--config', '.dependency-cruiser.cjs', 'src']],
  ['unused code', [bin('knip')]],
];

let failed = 0;
for (const [name, [command, ...args]] of tools) {
  const started = performance.now();
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
  report(name, result.status === 0, started, `${result.stdout ?? ''}${result.stderr ?? ''}`);
}

const started = performance.now();
const { generatedFiles } = await import('./build.mjs');
const { generatedDocs } = await import('./docs.mjs');
const stale = [...generatedFiles(), ...(await generatedDocs())]
  .filter(({ file, text }) => !existsSync(file) || readFileSync(file, 'utf8') !== text)
  .map(({ file }) => `${path.relative(root, file)} is stale; run \`npm run build\` and \`npm run docs\`\n`);
report('generated files', stale.length === 0, started, stale.join(''));
process.exitCode = failed > 0 ? 1 : 0;

/** @param {string} name @param {boolean} ok @param {number} since @param {string} output */
function report(name, ok, since, output) {
  const seconds = ((performance.now() - since) / 1000).toFixed(1);
  process.stdout.write(`${ok ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)\n`);
  if (ok) return;
  failed += 1;
  process.stdout.write(`${output.trimEnd()}\n`);
}
