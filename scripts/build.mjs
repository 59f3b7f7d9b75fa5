/**
 * The program in parts, dist/cluster.parts (bin/bundle.js reads it), its oclif manifest, and V8's compiled code for the
 * usual start. Every file is written aside and renamed, so any number of builds may run at once.
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

const require = createRequire(import.meta.url);
const { Bundle, makePack } = require('../bin/bundle.js');
const { STAMPS, stamps } = require('../bin/fingerprint.js');
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

/** How the parts are compiled, after they were cut. @type {import('esbuild').CommonOptions} */
const OUTPUT = {
  platform: 'node',
  target: 'node20',
  minifySyntax: true,
  minifyWhitespace: true,
  charset: 'ascii',
};

/**
 * esbuild cuts the program into parts (it can do so for ES modules only): one for each command and each other dynamic
 * import, and one for each set of modules that the same parts share. Each becomes CommonJS then, which can be compiled
 * ahead.
 */
async function cut() {
  const { build, transform } = await import('esbuild');
  const { outputFiles, metafile } = await build({
    ...OUTPUT,
    absWorkingDir: root,
    entryPoints: ['src/index.ts'],
    outdir: 'dist',
    write: false,
    bundle: true,
    splitting: true,
    metafile: true,
    format: 'esm',
    chunkNames: '[name]-[hash]',
    // ssh2's server knows its sessions by the name of their class.
    keepNames: true,
    external: EXTERNAL,
    plugins: [slimOclif],
    define: { 'process.env.CLUSTER_BUNDLED': '"1"' },
    logLevel: 'warning',
    logOverride: { 'ignored-bare-import': 'silent' },
  });
  /** @type {Map<string, Buffer>} */
  const texts = new Map();
  for (const { path: file, text } of outputFiles) {
    const { code } = await transform(text, {
      ...OUTPUT,
      format: 'cjs',
      supported: { 'dynamic-import': false },
      logLevel: 'error',
    });
    // bin/bundle.js reads one byte a character, and esbuild leaves regular expressions as they are.
    const ascii = code.replace(
      /[^\0-\x7f]/g,
      (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
    const { entryPoint, exports } = metafile.outputs[path.relative(root, file)] ?? {};
    // A CommonJS package that is imported when it is needed: esbuild hides its names in a default export.
    const isPackage = entryPoint?.startsWith('node_modules/') && exports?.join() === 'default';
    const end = isPackage ? 'module.exports = module.exports.default;' : '';
    const whole = `(function (exports, require, module, __filename, __dirname) {${ascii}${end}\n})`;
    texts.set(path.basename(file), Buffer.from(whole, 'latin1'));
  }
  return { texts, outputs: metafile.outputs };
}

/** What bin/run.js has to know of the parts. @param {import('esbuild').Metafile['outputs']} outputs @param {string} id */
function indexOf(outputs, id) {
  /** @type {import('../bin/bundle.js').Index} */
  const index = { id, parts: {}, commands: {} };
  for (const [file, { inputs, imports, entryPoint = '' }] of Object.entries(outputs)) {
    const name = path.basename(file);
    index.parts[name] = {
      imports: imports.filter((one) => !one.external).map((one) => path.basename(one.path)),
      sources: Object.keys(inputs).filter((input) => input.startsWith('src/')),
    };
    const command = /^src\/commands\/(.+?)(\/index)?\.ts$/.exec(entryPoint)?.[1];
    if (command !== undefined) index.commands[command.replaceAll('/', ':')] = name;
  }
  return index;
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
  for (const { file, text } of generatedFiles()) putIfChanged(file, text);
  const began = Date.now();
  const { texts, outputs } = await cut();
  const id = createHash('sha256')
    .update([...texts].flat().join('\0'))
    .digest('hex')
    .slice(0, 16);
  const index = indexOf(outputs, id);
  const sources = stamps(root, new Set(Object.values(index.parts).flatMap(({ sources }) => sources)));
  // Changed while it was built: not what was built, perhaps.
  for (const [file, stamp] of Object.entries(sources))
    if (Number(stamp.split(':')[1]) >= began) sources[file] = 'unknown';
  const parts = makePack(index, texts);
  const aside = `cluster.parts.${process.pid}.tmp`;
  writeFileSync(path.join(dist, aside), parts);
  const bundle = new Bundle(dist, aside);
  const program = bundle.start();
  await program.warm();
  const code = bundle.code();
  put(path.join(dist, bundle.codeName), code);
  const manifest = await program.manifest();
  put(path.join(dist, 'oclif.manifest.json'), `${JSON.stringify(manifest, null, 1)}\n`);
  put(path.join(root, STAMPS), JSON.stringify(sources));
  // Last: whoever sees it finds the rest.
  renameSync(path.join(dist, aside), path.join(dist, 'cluster.parts'));
  for (const name of readdirSync(dist)) {
    if (/^cluster-.*\.cache$/.test(name) && name !== bundle.codeName)
      rmSync(path.join(dist, name), { force: true });
  }
  if (!quiet) {
    const kib = (/** @type {{ length: number }} */ part) => `${Math.round(part.length / 1024)} KiB`;
    process.stdout.write(
      `dist/cluster.parts ${kib(parts)} in ${texts.size} parts, compiled ${kib(code)}, ${Object.keys(manifest.commands).length} commands, ${Math.round(performance.now() - started)} ms\n`,
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
