/**
 * One bundle, dist/cluster.cjs, its oclif manifest, and V8's compiled code for the usual start. Every file is written
 * aside and renamed, so any number of builds may run at once.
 */
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';

const require = createRequire(import.meta.url);
const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const dist = path.join(root, 'dist');
const commandsDirectory = path.join(root, 'src', 'commands');
const generated = path.join(root, 'src', 'commands.gen.ts');
const NOT_WRITABLE = 73;

/** Native or read from their own directory at run time; each is required only where it is used. */
const EXTERNAL = [
  ...['lmdb', 'cpu-features', '*.node'],
  // dockerode's, and only for builds.
  ...['@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs'],
];

/**
 * What commands import from @oclif/core, without the plugin loader that we do not use. src/cli/oclif.ts takes that part's
 * place at run time: change the two together.
 */
const OCLIF = `
export * as Args from '@oclif/core/args';
export * as Errors from '@oclif/core/errors';
export * as Flags from '@oclif/core/flags';
export { Command } from '@oclif/core/command';
export { ux } from '@oclif/core/ux';
`;

/** @type {import('esbuild').Plugin} */
const slimOclif = {
  name: 'slim-oclif',
  setup(build) {
    const inOclif = /@oclif[/\\]core[/\\]lib[/\\](command|help[/\\]index)\.js$/;
    build.onResolve({ filter: /^@oclif\/core$/ }, () => ({ path: 'oclif', namespace: 'slim' }));
    build.onResolve({ filter: /^\.\/config$/ }, (args) =>
      inOclif.test(args.importer) ? { path: 'config', namespace: 'slim' } : undefined,
    );
    build.onResolve({ filter: /^(\.\.\/config\/ts-path|\.\.\/module-loader)$/ }, (args) =>
      inOclif.test(args.importer) ? { path: 'config', namespace: 'slim' } : undefined,
    );
    build.onLoad({ filter: /^oclif$/, namespace: 'slim' }, () => ({
      contents: OCLIF,
      resolveDir: root,
      loader: 'js',
    }));
    build.onLoad({ filter: /^config$/, namespace: 'slim' }, () => ({
      contents: 'module.exports = {};',
      loader: 'js',
    }));
  },
};

/** @returns {string[]} paths below src/commands, sorted. */
function commandFiles() {
  if (!existsSync(commandsDirectory)) return [];
  return readdirSync(commandsDirectory, { recursive: true, encoding: 'utf8' })
    .map((file) => file.split(path.sep).join('/'))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !/(^|\/)_/.test(file))
    .sort();
}

/** The text of src/commands.gen.ts: the file tree as a map that loads nothing until it is asked. */
export function commandMap() {
  const lines = commandFiles().map((file) => {
    const id = file.replace(/(\/index)?\.ts$/, '').replaceAll('/', ':');
    const key = /^[a-z]+$/.test(id) ? id : `'${id}'`;
    return `  ${key}: () => import('./commands/${file}'),`;
  });
  return [
    '// Written by scripts/build.mjs from the files in src/commands. Do not edit.',
    "import type { CommandTable } from './cli/model.ts';",
    '',
    'export const COMMANDS: CommandTable = {',
    ...lines,
    '};',
    '',
  ].join('\n');
}

export const generatedFiles = () => [{ file: generated, text: commandMap() }];

/** @param {string} file @param {string | Uint8Array} content */
function put(file, content) {
  const aside = `${file}.${process.pid}.tmp`;
  writeFileSync(aside, content);
  renameSync(aside, file);
}

/** @param {string} file @param {string} text */
function putIfChanged(file, text) {
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) put(file, text);
}

async function bundle() {
  const { build } = await import('esbuild');
  const result = await build({
    absWorkingDir: root,
    entryPoints: ['src/index.ts'],
    outfile: 'dist/cluster.cjs',
    write: false,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    minifySyntax: true,
    minifyWhitespace: true,
    // ssh2's server knows its sessions by the name of their class.
    keepNames: true,
    sourcemap: 'external',
    supported: { 'dynamic-import': false },
    external: EXTERNAL,
    plugins: [slimOclif],
    define: { 'process.env.CLUSTER_BUNDLED': '"1"' },
    logLevel: 'warning',
    logOverride: { 'ignored-bare-import': 'silent' },
  });
  const code = result.outputFiles.find((file) => file.path.endsWith('.cjs'));
  const map = result.outputFiles.find((file) => file.path.endsWith('.map'));
  if (code === undefined || map === undefined) throw new Error('esbuild wrote no bundle');
  // bin/run.js reads one byte a character, and esbuild leaves regular expressions as they are.
  const text = code.text.replace(
    /[^\0-\x7f]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  const id = createHash('sha256').update(text).digest('hex').slice(0, 16);
  return { id, code: `/*${id}*/${text}`, map: map.text };
}

/** Runs the bundle as bin/run.js does, warms the usual start and returns its exports and the compiled code. */
async function compile(/** @type {string} */ code) {
  const filename = path.join(dist, 'cluster.cjs');
  const script = new vm.Script(`(function (exports, require, module, __filename, __dirname) {${code}\n})`, {
    filename,
  });
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(filename), module, filename, dist);
  await module.exports.warm();
  return { exports: module.exports, cache: script.createCachedData() };
}

async function main() {
  const quiet = process.argv.includes('--quiet');
  const started = performance.now();
  try {
    mkdirSync(dist, { recursive: true });
    accessSync(dist, constants.W_OK);
  } catch {
    if (!quiet) process.stderr.write(`cannot write to ${dist}\n`);
    process.exit(NOT_WRITABLE);
  }
  const stamp = require('../bin/fingerprint.js').fingerprint(root);
  for (const { file, text } of generatedFiles()) putIfChanged(file, text);
  const { id, code, map } = await bundle();
  const { exports, cache } = await compile(code);
  const manifest = await exports.manifest();
  const cacheName = `cluster-${id}-${process.version}-${process.arch}.cache`;
  put(path.join(dist, 'oclif.manifest.json'), `${JSON.stringify(manifest, null, 1)}\n`);
  put(path.join(dist, 'cluster.cjs.map'), map);
  put(path.join(dist, cacheName), cache);
  put(path.join(dist, 'cluster.cjs'), code);
  if (stamp !== undefined) put(path.join(dist, 'stamp'), stamp);
  for (const name of readdirSync(dist)) {
    if (/^cluster-.*\.cache$/.test(name) && name !== cacheName)
      rmSync(path.join(dist, name), { force: true });
  }
  if (!quiet) {
    const kib = (/** @type {{ length: number }} */ part) => `${Math.round(part.length / 1024)} KiB`;
    process.stdout.write(
      `dist/cluster.cjs ${kib(code)}, compiled ${kib(cache)}, ${Object.keys(manifest.commands).length} commands, ${Math.round(performance.now() - started)} ms\n`,
    );
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error) => {
    // esbuild has already printed where and why.
    if (!Array.isArray(error?.errors)) process.stderr.write(`${error?.stack ?? error}\n`);
    process.exit(1);
  });
}
