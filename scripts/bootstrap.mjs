/** Makes node_modules what package-lock.json says. Uses nothing but Node, so that it runs in a fresh clone. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** Present while npm works, so that a run that was cut off is done again. */
const unfinished = path.join(root, '.npm-ci-unfinished');

const read = (/** @type {string} */ file) => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
};

function installed() {
  if (read(unfinished) !== undefined) return false;
  const have = read(path.join(root, 'node_modules', '.package-lock.json'));
  if (have === undefined) return false;
  const wanted = JSON.parse(read(path.join(root, 'package-lock.json')) ?? '{}').packages ?? {};
  const present = JSON.parse(have).packages ?? {};
  return Object.entries(wanted).every(([name, entry]) => {
    if (name === '') return true;
    const found = present[name];
    return found === undefined ? entry.optional === true : found.integrity === entry.integrity;
  });
}

/** Installs what is missing; ends the process with npm's reason where that fails. */
export function bootstrap() {
  if (Number(process.versions.node.split('.')[0]) < 20) {
    process.stderr.write(`cluster needs Node 20 or later; this is ${process.version}\n`);
    process.exit(1);
  }
  if (installed()) return;
  process.stderr.write('installing the dependencies (npm ci)\n');
  writeFileSync(unfinished, '');
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (result.status !== 0) {
    process.stderr.write(
      `npm ci failed (${result.error?.message ?? `exit ${result.status ?? result.signal}`})\n`,
    );
    process.exit(1);
  }
  rmSync(unfinished, { force: true });
}

/** What the tests run for real, and the Debian package that has it. */
const TOOLS = {
  sshd: 'openssh-server',
  'ssh-keygen': 'openssh-client',
  'dbus-daemon': 'dbus',
  etcd: 'etcd-server',
  etcdctl: 'etcd-client',
  openssl: 'openssl',
  debootstrap: 'debootstrap',
  'systemd-nspawn': 'systemd-container',
  ip: 'iproute2',
  haproxy: 'haproxy',
  zsh: 'zsh',
  fish: 'fish',
  tcsh: 'tcsh',
};

/** Installs the programs that the tests need, all at once; where that cannot be, tests say what they miss. */
export function installTools() {
  const path = `${process.env.PATH}:/usr/sbin:/sbin`.split(':');
  const has = (/** @type {string} */ tool) => path.some((folder) => existsSync(`${folder}/${tool}`));
  const missing = Object.entries(TOOLS).flatMap(([tool, name]) => (has(tool) ? [] : [name]));
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0 || !has('apt-get')) {
    process.stderr.write(`these Debian packages are missing, some tests will fail: ${missing.join(' ')}\n`);
    return;
  }
  process.stderr.write(`installing ${missing.join(' ')} (apt-get)\n`);
  // In run level 1 packages do not start the services that they bring.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const apt = (/** @type {string[]} */ ...args) =>
    spawnSync('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=120', ...args], {
      stdio: ['ignore', 'ignore', 2],
      env,
    });
  apt('update');
  const { status } = apt('install', '-y', '--no-install-recommends', ...missing);
  if (status !== 0) process.stderr.write(`apt-get install ended with exit code ${status}\n`);
}

/**
 * Runs a Node program with this terminal and returns its exit code; Ctrl-C reaches it by itself.
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
export function node(args, env = process.env) {
  process.on('SIGINT', () => {});
  const { status, signal } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env });
  return status ?? (signal === 'SIGINT' ? 130 : 1);
}

/** A TypeScript file through tsx. @param {string} file @param {string[]} args */
export const tsx = (file, args) => node(['--import', 'tsx', path.join(root, file), ...args]);

if (process.argv[1] === fileURLToPath(import.meta.url)) bootstrap();
