/**
 * Makes the images of the demo application from parts of this computer: its node binary, the libraries that node needs
 * and the files beside this one. No registry and no Docker here; all versions share one layer, only VERSION differs.
 *
 *   node image.mjs demo-application.tar 0.1.0 0.2.0
 *   cluster ssh MACHINE -- docker load < demo-application.tar
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const NAME = 'demo-application';
const APP = ['package.json', 'server.js', 'page.js', 'websocket.js'];
const EPOCH = '1970-01-01T00:00:00Z';
/** The same parts make the same bytes, whoever packs them and when: a machine that has an image knows it again. */
const STEADY = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'];

/**
 * Writes a file (about 105 MB) that `docker load` turns into `demo-application:VERSION` for every version.
 * Throws where this computer is not a Linux with GNU tar, or a version is no tag.
 */
export async function writeImages(file, versions) {
  if (process.platform !== 'linux')
    throw new Error('the images hold the node of this computer: it must be Linux');
  for (const version of versions)
    if (!/^\w[\w.-]{0,127}$/.test(version))
      throw new Error(`${JSON.stringify(version)} cannot be the tag of an image`);
  const stage = await mkdtemp(join(tmpdir(), `${NAME}-`));
  try {
    const root = join(stage, 'root');
    const archive = join(stage, 'archive');
    await mkdir(archive, { recursive: true });
    await layRoot(root);
    await pack(root, join(archive, 'layer.tar'));
    const layer = `sha256:${await sha256(join(archive, 'layer.tar'))}`;
    const images = versions.map((version) => [version, JSON.stringify(image(version, layer))]);
    for (const [version, config] of images) await writeFile(join(archive, `${version}.json`), config);
    const manifest = images.map(([version]) => ({
      Config: `${version}.json`,
      RepoTags: [`${NAME}:${version}`],
      Layers: ['layer.tar'],
    }));
    await writeFile(join(archive, 'manifest.json'), JSON.stringify(manifest));
    await pack(archive, resolve(file));
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}

/** The configuration of an image by Docker's image specification v1. */
function image(version, layer) {
  return {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    created: EPOCH,
    config: {
      Env: ['PATH=/usr/bin', 'PORT=8080', `VERSION=${version}`],
      Cmd: ['/usr/bin/node', '/app/server.js'],
      ExposedPorts: { '8080/tcp': {} },
    },
    rootfs: { type: 'layers', diff_ids: [layer] },
    history: [{ created: EPOCH, created_by: 'image.mjs' }],
  };
}

/** The root file system, as links to where its files really are: nothing is copied before tar reads it. */
async function layRoot(root) {
  const node = await realpath(process.execPath);
  await link(root, '/usr/bin/node', node);
  for (const library of await libraries(node)) await link(root, library, library);
  for (const name of APP) await link(root, `/app/${name}`, join(import.meta.dirname, name));
  await mkdir(join(root, 'etc'));
  await mkdir(join(root, 'tmp'));
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/:/sbin/nologin\n');
  await writeFile(join(root, 'etc/group'), 'root:x:0:\n');
}

/** Every absolute path that ldd names, the loader included; none for a static binary. */
async function libraries(binary) {
  const { stdout } = await run('ldd', [binary]).catch(() => ({ stdout: '' }));
  return [...stdout.matchAll(/(?<=^\s*|=> )\/\S+/gm)].map(([path]) => path);
}

async function link(root, path, source) {
  await access(source);
  await mkdir(dirname(join(root, path)), { recursive: true });
  await symlink(source, join(root, path));
}

async function pack(directory, file) {
  await run('tar', ['-cf', file, '--dereference', '--mode=u+rwX,go+rX', ...STEADY, '-C', directory, '.']);
}

async function sha256(file) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

if (process.argv[1] !== undefined && (await realpath(process.argv[1])) === import.meta.filename) {
  const [file, ...versions] = process.argv.slice(2);
  if (file === undefined || versions.length === 0) {
    console.error('usage: node image.mjs FILE VERSION...');
    process.exit(2);
  }
  await writeImages(file, versions);
}
