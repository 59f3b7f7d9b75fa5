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
const { ALL, STAMPS, stamps } = require('../bin/fingerprint.js');
const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const dist = path.join(root, 'dist');
const commandsDirectory = path.join(root, 'src', 'commands');
const generated = path.join(root, 'src', 'commands.gen.ts');
const NOT_WRITABLE = 73;

/** Native or read from their own directory at run time; each is required only where it is used. */
const EXTERNAL = [
  ...['cpu-features', '*.node'],
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

/**
 * Makes a CommonJS module load what it requires when it first uses it: `const a_1 = require('a')` becomes a function, and
 * each `a_1` a call of it. A command then loads of Node, of oclif and of the program only what it really runs.
 * @param {string} text with each such line on its own, as TypeScript and esbuild write it @param {RegExp} names
 */
function requireLate(text, names) {
  /** @type {string[]} */
  const late = [];
  const body = text.replace(/^(?:const|var) (\w+) = (.*\brequire\("[^"]+"\).*);$/gm, (line, name, value) => {
    if (!names.test(name)) return line;
    late.push(name);
    return `var ${name}_loaded;function ${name}(){return ${name}_loaded??=${value}}`;
  });
  if (late.length === 0) return text;
  const used = new RegExp(`(?<![\\w$]|(?<!\\.\\.)\\.|function )(${late.join('|')})(?![\\w$(])`, 'g');
  return body.replace(used, '($1())');
}

/** @type {import('esbuild').Plugin} */
const slimOclif = {
  name: 'slim-oclif',
  setup(build) {
    const inOclif = /@oclif[/\\]core[/\\]lib[/\\](command|help[/\\]index)\.js$/;
    build.onResolve({ filter: /^@oclif\/core$/ }, () => ({ path: 'oclif', namespace: 'slim' }));
    build.onResolve({ filter: /^\.\/config$/ }, (args) =>
      inOclif.test(args.importer) ? { path: 'config', namespace: 'slim' } : undefined,
    );
    // It would set up the debug package in every command, for nobody: nothing of it is ever switched on.
    build.onResolve({ filter: /^\.\.?\/logger$/ }, (args) =>
      /@oclif[/\\]core[/\\]/.test(args.importer) ? { path: 'logger', namespace: 'slim' } : undefined,
    );
    build.onLoad({ filter: /^logger$/, namespace: 'slim' }, () => ({
      contents:
        'const none = () => {}; exports.makeDebug = () => none; exports.getLogger = () => ({ debug: none, error: none });',
      loader: 'js',
    }));
    build.onResolve({ filter: /^(\.\.\/config\/ts-path|\.\.\/module-loader)$/ }, (args) =>
      inOclif.test(args.importer) ? { path: 'config', namespace: 'slim' } : undefined,
    );
    build.onLoad({ filter: /^oclif$/, namespace: 'slim' }, () => ({
      contents: OCLIF,
      resolveDir: root,
      loader: 'js',
    }));
    build.onLoad({ filter: /@oclif[/\\]core[/\\]lib[/\\].*\.js$/ }, ({ path: file }) => ({
      contents: requireLate(readFileSync(file, 'utf8'), /^\w+_\d+$/),
      loader: 'js',
    }));
    build.onLoad({ filter: /^config$/, namespace: 'slim' }, () => ({
      contents: 'module.exports = {};',
      loader: 'js',
    }));
  },
};

/**
 * lmdb without its way of finding its native part, which tries out what system this is, and without msgpackr, the encoding
 * that the store does not use: the two took twice as long to load as all the rest. Where the native part is not where it
 * usually is, lmdb itself is loaded, from node_modules.
 * @type {import('esbuild').Plugin}
 */
const quickLmdb = {
  name: 'quick-lmdb',
  setup(build) {
    const inLmdb = /[/\\]lmdb[/\\]dist[/\\]index\.cjs$/;
    build.onResolve({ filter: /^lmdb$/ }, ({ namespace }) =>
      namespace === 'lmdb' ? { path: 'lmdb', external: true } : { path: 'choice', namespace: 'lmdb' },
    );
    build.onResolve({ filter: /^lmdb-native$/ }, () => ({ path: 'native', namespace: 'lmdb' }));
    build.onResolve({ filter: /^node-gyp-build-optional-packages$/ }, ({ importer }) =>
      inLmdb.test(importer) ? { path: 'finder', namespace: 'lmdb' } : undefined,
    );
    build.onResolve({ filter: /^msgpackr$/ }, ({ importer }) =>
      inLmdb.test(importer) ? { path: 'encoding', namespace: 'lmdb' } : undefined,
    );
    /** @type {Record<string, string>} */
    const contents = {
      choice: `module.exports = require('lmdb-native') ? require('./node_modules/lmdb/dist/index.cjs') : require('lmdb');`,
      finder: `module.exports = () => require('lmdb-native');`,
      encoding: `module.exports = { Encoder: undefined };`,
      native: `
        const { arch, platform, versions } = process;
        const end = platform === 'linux' ? '.glibc.node' : '.node';
        for (const api of ['abi' + versions.modules, 'napi']) {
          try {
            module.exports = require('@lmdb/lmdb-' + platform + '-' + arch + '/node.' + api + end);
            break;
          } catch {
            module.exports = null;
          }
        }`,
    };
    build.onLoad({ filter: /.*/, namespace: 'lmdb' }, ({ path: name }) => ({
      contents: contents[name] ?? '',
      resolveDir: root,
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
    plugins: [slimOclif, quickLmdb],
    define: { 'process.env.CLUSTER_BUNDLED': '"1"' },
    logLevel: 'warning',
    logOverride: { 'ignored-bare-import': 'silent' },
  });
  /** @type {Map<string, Buffer>} */
  const texts = new Map();
  for (const { path: file, text } of outputFiles) {
    const common = await transform(text, {
      ...OUTPUT,
      minifySyntax: false,
      minifyWhitespace: false,
      format: 'cjs',
      supported: { 'dynamic-import': false },
      logLevel: 'error',
    });
    const { code } = await transform(requireLate(common.code, /^import_/), {
      ...OUTPUT,
      minifyIdentifiers: true,
      logLevel: 'error',
    });
    // bin/bundle.js reads one byte a character, and esbuild leaves regular expressions as they are.
    const ascii = code.replace(
      /[^\0-\x7f]/g,
      (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
    const { entryPoint, exports } = metafile.outputs[path.relative(root, file)] ?? {};
    // A CommonJS package that is imported when it is needed: esbuild hides its names in a default export.
    const isPackage = entryPoint?.startsWith('src/') === false && exports?.join() === 'default';
    const end = isPackage ? 'module.exports = module.exports.default;' : '';
    const whole = `(function (exports, require, module, __filename, __dirname) {${ascii}${end}\n})`;
    texts.set(path.basename(file), Buffer.from(whole, 'latin1'));
  }
  return { texts, outputs: metafile.outputs };
}

/**
 * The files of src/ that are in what a command can load, by command; of all under ALL.
 * @param {import('esbuild').Metafile['outputs']} outputs
 */
function sourcesOf(outputs) {
  const commandOf = (/** @type {string} */ output) => {
    const file = /^src\/commands\/(.+?)(\/index)?\.ts$/.exec(outputs[output]?.entryPoint ?? '')?.[1];
    return file?.replaceAll('/', ':');
  };
  const reach = (/** @type {string | undefined} */ command) => {
    const isOther = (/** @type {string} */ one) =>
      ![undefined, command ?? commandOf(one)].includes(commandOf(one));
    const found = new Set(['dist/index.js']);
    for (const output of found)
      for (const { path: next, external } of outputs[output]?.imports ?? [])
        if (!external && !isOther(next)) found.add(next);
    const inputs = [...found].flatMap((output) => Object.keys(outputs[output]?.inputs ?? {}));
    return new Set(inputs.filter((input) => input.startsWith('src/')));
  };
  const commands = Object.keys(outputs).flatMap((output) => commandOf(output) ?? []);
  return new Map([
    [ALL, reach(undefined)],
    ...commands.map((one) => /** @type {const} */ ([one, reach(one)])),
  ]);
}

async function make() {
  for (const { file, text } of generatedFiles()) putIfChanged(file, text);
  const began = Date.now();
  const { texts, outputs } = await cut();
  const id = createHash('sha256')
    .update([...texts].flat().join('\0'))
    .digest('hex')
    .slice(0, 16);
  const sources = stamps(root, began, sourcesOf(outputs));
  const outside = Object.values(outputs).flatMap(({ imports }) =>
    imports.flatMap((one) => (one.external ? one.path : [])),
  );
  const parts = makePack({ id, outside: [...new Set(outside)].sort() }, texts);
  const aside = `cluster.parts.${process.pid}.tmp`;
  writeFileSync(path.join(dist, aside), parts);
  try {
    const manifest = await new Bundle(dist, aside).start().manifest();
    put(path.join(dist, 'oclif.manifest.json'), `${JSON.stringify(manifest)}\n`);
    const bundle = new Bundle(dist, aside);
    await bundle.start().warm();
    put(path.join(dist, bundle.codeName), bundle.code());
    put(path.join(root, STAMPS), sources);
    // Last: whoever sees it finds the rest.
    renameSync(path.join(dist, aside), path.join(dist, 'cluster.parts'));
    removeOthers(bundle.codeName);
    return { parts: texts.size, bytes: parts.length, commands: Object.keys(manifest.commands).length };
  } finally {
    rmSync(path.join(dist, aside), { force: true });
  }
}

/** Compiled code of earlier builds. @param {string} codeName */
function removeOthers(codeName) {
  for (const name of readdirSync(dist)) {
    if (/^cluster-.*\.cache$/.test(name) && name !== codeName) rmSync(path.join(dist, name), { force: true });
  }
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
  const { parts, bytes, commands } = await make();
  if (quiet) return;
  const size = `${Math.round(bytes / 1024)} KiB in ${parts} parts`;
  const ms = Math.round(performance.now() - started);
  process.stdout.write(`dist/cluster.parts ${size}, ${commands} commands, ${ms} ms\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error) => {
    // esbuild has already printed where and why.
    if (!Array.isArray(error?.errors)) process.stderr.write(`${error?.stack ?? error}\n`);
    process.exit(1);
  });
}
