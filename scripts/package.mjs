/**
 * One release that runs where there is no Node: dist/release/cluster-VERSION-linux-ARCH.tar.gz and its checksum.
 *
 *   npm run package [-- --arch x64|arm64] [--node FILE] [--out DIRECTORY] [--quiet]
 *
 * In it: bin/cluster (a launcher), bin/node, lib/run.js, dist/ (the program and V8's compiled code for that very Node),
 * node_modules (what cannot be bundled), units/, and first of all RELEASE: version, architecture and content hash.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { builtinModules, createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { constants, createGzip, gunzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

/** @typedef {{ name: string, mode: number, content: Buffer }} Entry */
/** @typedef {{ os?: string[], cpu?: string[], libc?: string[], integrity?: string, version?: string, optional?: boolean,
 *   dependencies?: Record<string, string>, optionalDependencies?: Record<string, string> }} Locked */

const { Bundle } = createRequire(import.meta.url)('../bin/bundle.js');

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** ELF machine numbers. */
const ELF = new Map([
  [62, 'x64'],
  [183, 'arm64'],
]);

/** The program asks for them and does well without. */
const OPTIONAL = new Set(['cpu-features']);

/** What a package needs at run time; sources, types, maps and tests of it are not. */
const SHIPPED = /(\.(c|m)?js|\.json|\.node|\.proto|(^|\/)(licen[cs]e|notice)[^/]*)$/i;

/** The same date in every archive: old, but not so old that tar warns. */
const MTIME = new Date(Date.UTC(2000, 0, 1));

/** `readlink -f`: an upgrade may move /opt/cluster between the start of node and that of run.js. */
const LAUNCHER = `#!/bin/sh
self=$(readlink -f -- "$0") || exit 127
here=\${self%/*}
exec "$here/node" "$here/../lib/run.js" "$@"
`;

/** Run by the Node that is packed: prints its version and ABI and writes what it compiles of the usual start. */
const COMPILE = `
const [loader, dist, out] = process.argv.slice(1);
const { Bundle } = require(loader);
const bundle = new Bundle(dist);
bundle.start().warm().then(() => {
  require('node:fs').writeFileSync(out, bundle.code());
  console.log(JSON.stringify({ codeName: bundle.codeName, abi: process.versions.modules }));
  process.exit(0);
});
`;

class Problem extends Error {}

/** Which architecture an ELF program is for. @param {Buffer} head @returns {string | undefined} */
export function elfArchitecture(head) {
  if (head.length < 20 || head.toString('latin1', 0, 4) !== '\x7fELF') return undefined;
  return ELF.get(head.readUInt16LE(18));
}

/** The packages among the names that the program requires. @param {string[]} names @returns {string[]} */
export function externals(names) {
  const packages = names.filter(
    (name) => !/^[./]/.test(name) && !name.startsWith('node:') && !builtinModules.includes(name),
  );
  return [...new Set(packages.map((name) => name.split('/', name.startsWith('@') ? 2 : 1).join('/')))]
    .filter((name) => !OPTIONAL.has(name))
    .sort();
}

/**
 * Places in package-lock.json of these packages and of all that they need on glibc Linux of that architecture.
 * @param {Record<string, Locked>} lock @param {string[]} names @param {string} arch @returns {string[]}
 */
export function closure(lock, names, arch) {
  /** @type {Set<string>} */
  const found = new Set();
  const fits = (/** @type {Locked} */ { os, cpu, libc }) =>
    (os?.includes('linux') ?? true) && (cpu?.includes(arch) ?? true) && (libc?.includes('glibc') ?? true);
  const resolve = (/** @type {string} */ from, /** @type {string} */ name) => {
    for (let at = from; ; at = at.replace(/(^|\/)node_modules\/(@[^/]+\/)?[^/]+$/, '')) {
      const place = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
      if (lock[place] !== undefined) return place;
      if (at === '') return undefined;
    }
  };
  const visit = (/** @type {string} */ from, /** @type {string} */ name, /** @type {boolean} */ optional) => {
    if (name.startsWith('@types/')) return;
    const place = resolve(from, name);
    const entry = place === undefined ? undefined : lock[place];
    if (place === undefined || entry === undefined || !fits(entry)) {
      if (optional) return;
      throw new Problem(`${name} is not in package-lock.json`);
    }
    if (found.has(place)) return;
    found.add(place);
    const may = entry.optionalDependencies ?? {};
    for (const next of Object.keys(entry.dependencies ?? {})) visit(place, next, Object.hasOwn(may, next));
    for (const next of Object.keys(may)) visit(place, next, true);
  };
  for (const name of names) visit('', name, false);
  return [...found].sort();
}

/**
 * What a release is, whatever time and order it was made in. Compiled code is left out: it follows from the rest, but
 * V8 does not write the same bytes twice.
 * @param {readonly Entry[]} entries
 */
export function contentHash(entries) {
  const lines = entries
    .filter(({ name }) => !name.endsWith('.cache'))
    .map(({ name, mode, content }) => `${name} ${mode.toString(8)} ${sha256(content)}\n`)
    .sort();
  return sha256(Buffer.from(lines.join('')));
}

/** The RELEASE text of an archive, which is its first file; undefined where it has none. @param {string} file */
export function releaseText(file) {
  if (!existsSync(file)) return undefined;
  try {
    const head = gunzipSync(readFileSync(file).subarray(0, 65_536), { finishFlush: constants.Z_SYNC_FLUSH });
    if (!/^[^/\0]+\/RELEASE\0/.test(head.toString('latin1', 0, 100))) return undefined;
    return head.toString('utf8', 512, 512 + Number.parseInt(head.toString('latin1', 124, 135), 8));
  } catch {
    return undefined;
  }
}

const sha256 = (/** @type {Buffer} */ content) => createHash('sha256').update(content).digest('hex');

/** @param {string} folder @param {string} to @param {(name: string) => boolean} wanted @returns {Entry[]} */
function filesOf(folder, to, wanted) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((item) => {
    const from = path.join(folder, item.name);
    const name = `${to}/${item.name}`;
    if (item.name === 'node_modules' || item.name.startsWith('.')) return [];
    if (item.isDirectory()) return filesOf(from, name, wanted);
    return item.isFile() && wanted(name) ? [{ name, mode: 0o644, content: readFileSync(from) }] : [];
  });
}

/**
 * The files of one locked package. What npm did not install because it is for another architecture is fetched by npm
 * and checked against the lock.
 * @param {string} place @param {Locked} entry @param {string | undefined} abi @returns {Entry[]}
 */
function packageFiles(place, entry, abi) {
  const wanted = (/** @type {string} */ name) => {
    if (!SHIPPED.test(name) || name.endsWith('.musl.node')) return false;
    const other = /\.abi(\d+)\./.exec(path.basename(name))?.[1];
    return other === undefined || abi === undefined || other === abi;
  };
  const here = path.join(root, place);
  if (existsSync(here)) return filesOf(here, place, wanted);
  const directory = mkdtempSync(path.join(tmpdir(), 'cluster-package-'));
  try {
    const name = place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const spec = `${name}@${entry.version}`;
    const npm = spawnSync('npm', ['pack', '--silent', '--pack-destination', directory, spec], {
      cwd: directory,
      encoding: 'utf8',
    });
    const archive = readdirSync(directory).find((file) => file.endsWith('.tgz'));
    if (npm.status !== 0 || archive === undefined)
      throw new Problem(`${spec} is not installed and npm cannot fetch it; try: npm pack ${spec}`);
    const content = readFileSync(path.join(directory, archive));
    const integrity = `sha512-${createHash('sha512').update(content).digest('base64')}`;
    if (integrity !== entry.integrity)
      throw new Problem(`${spec} from the registry is not the one in package-lock.json`);
    const tar = spawnSync('tar', ['-xzf', archive], { cwd: directory });
    if (tar.status !== 0) throw new Problem(`${archive} cannot be unpacked`);
    return filesOf(path.join(directory, 'package'), place, wanted);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The Node program, without the symbols that only a debugger reads. @param {string} file @param {string} arch */
function nodeProgram(file, arch) {
  let content;
  try {
    content = readFileSync(file);
  } catch (error) {
    throw new Problem(`cannot read ${file}: ${/** @type {NodeJS.ErrnoException} */ (error).code}`);
  }
  const is = elfArchitecture(content);
  if (is !== arch)
    throw new Problem(`${file} is no Node for linux-${arch}, but for ${is ?? 'another system'}`);
  const directory = mkdtempSync(path.join(tmpdir(), 'cluster-package-'));
  const program = path.join(directory, 'node');
  writeFileSync(program, content, { mode: 0o755 });
  // Exported symbols stay, so native packages still find them. Another architecture's program may be refused: as it is.
  spawnSync('strip', ['--strip-unneeded', program], { stdio: 'ignore' });
  return { directory, program };
}

/** What the packed Node says of itself and compiles; undefined where it cannot run here. @param {string} program */
function compiledBy(program) {
  const out = `${program}.cache`;
  const loader = path.join(root, 'bin', 'bundle.js');
  const ran = spawnSync(program, ['-e', COMPILE, loader, path.join(root, 'dist'), out], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  });
  if (ran.status !== 0) throw new Problem(`${program} cannot run the program: ${ran.stderr || ran.error}`);
  return { ...JSON.parse(ran.stdout), cache: readFileSync(out) };
}

/** @param {string} nodeFile @param {string} arch @returns {Entry[]} */
function contents(nodeFile, arch) {
  const dist = (/** @type {string} */ name) => readFileSync(path.join(root, 'dist', name));
  const parts = dist('cluster.parts');
  const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages;
  const { directory, program } = nodeProgram(nodeFile, arch);
  try {
    const made = arch === process.arch ? compiledBy(program) : undefined;
    const text = (/** @type {string} */ name, /** @type {string} */ value, mode = 0o644) => ({
      name,
      mode,
      content: Buffer.from(value),
    });
    const units = path.join(root, 'units');
    return [
      text('bin/cluster', LAUNCHER, 0o755),
      { name: 'bin/node', mode: 0o755, content: readFileSync(program) },
      ...['run.js', 'bundle.js', 'fingerprint.js'].map((name) => ({
        name: `lib/${name}`,
        mode: 0o644,
        content: readFileSync(path.join(root, 'bin', name)),
      })),
      text('lib/package.json', '{ "type": "commonjs" }\n'),
      { name: 'dist/cluster.parts', mode: 0o644, content: parts },
      { name: 'dist/oclif.manifest.json', mode: 0o644, content: dist('oclif.manifest.json') },
      ...(made ? [{ name: `dist/${made.codeName}`, mode: 0o644, content: made.cache }] : []),
      ...closure(lock, externals(new Bundle(path.join(root, 'dist')).packages), arch).flatMap((place) =>
        packageFiles(place, lock[place], made?.abi),
      ),
      ...(existsSync(units) ? filesOf(units, 'units', () => true) : []),
    ].sort((one, other) => (one.name < other.name ? -1 : 1));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** @param {string} top @param {readonly Entry[]} entries @returns {Promise<Buffer>} */
export async function archive(top, entries) {
  const tar = pack();
  const zipped = tar.pipe(createGzip());
  const ended = zipped.toArray();
  for (const { name, mode, content } of entries)
    tar.entry({ name: `${top}/${name}`, mode, mtime: MTIME, uname: 'root', gname: 'root' }, content);
  tar.finalize();
  return Buffer.concat(await ended);
}

function choices() {
  const { values } = parseArgs({
    options: {
      arch: { type: 'string', default: process.arch },
      node: { type: 'string' },
      out: { type: 'string', default: path.join(root, 'dist', 'release') },
      quiet: { type: 'boolean', default: false },
    },
  });
  if (![...ELF.values()].includes(values.arch))
    throw new Problem(`no release can be made for ${values.arch}; --arch is x64 or arm64`);
  if (values.node === undefined && (values.arch !== process.arch || process.platform !== 'linux'))
    throw new Problem(
      `this computer's node is for ${process.platform}-${process.arch}; name one for linux-${values.arch}: --node FILE`,
    );
  return { ...values, node: values.node ?? process.execPath };
}

async function main() {
  const started = performance.now();
  const { arch, node, out, quiet } = choices();
  // The entry builds the program where its sources changed; of a command it would look at no others.
  const built = spawnSync(process.execPath, [path.join(root, 'bin', 'run.js'), '--version'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (built.status !== 0) throw new Problem('the program cannot be built; see above');
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const entries = contents(node, arch);
  const hash = contentHash(entries);
  const release = `version ${version}\narch ${arch}\nhash ${hash}\n`;
  const name = `cluster-${version}-linux-${arch}`;
  const file = path.join(out, `${name}.tar.gz`);
  const say = (/** @type {string} */ how, /** @type {number} */ size) => {
    if (quiet) return;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const mebibytes = (size / 1024 / 1024).toFixed(1);
    const shown = path.relative(process.cwd(), file);
    process.stdout.write(`${shown} ${how}: ${mebibytes} MiB, ${hash.slice(0, 7)}, ${seconds} s\n`);
  };
  if (releaseText(file) === release) return say('is up to date', readFileSync(file).length);
  const content = await archive(name, [
    { name: 'RELEASE', mode: 0o644, content: Buffer.from(release) },
    ...entries,
  ]);
  mkdirSync(out, { recursive: true });
  // An archive without a checksum is better than one with another's, should this be cut off here.
  rmSync(`${file}.sha256`, { force: true });
  put(file, content);
  put(`${file}.sha256`, `${sha256(content)}  ${name}.tar.gz\n`);
  say('written', content.length);
}

/** @param {string} file @param {string | Buffer} content */
function put(file, content) {
  const aside = `${file}.${process.pid}.tmp`;
  writeFileSync(aside, content);
  renameSync(aside, file);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error) => {
    const known = error instanceof Problem || String(error?.code).startsWith('ERR_PARSE_ARGS');
    process.stderr.write(`${known ? `package: ${error.message}` : (error?.stack ?? error)}\n`);
    process.exit(1);
  });
}
