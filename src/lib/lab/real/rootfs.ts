import { existsSync, readdirSync } from 'node:fs';
import { copyFile, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClusterError } from '../../error.ts';
import { withLock } from './lock.ts';
import { findMirror, type Mirror } from './mirror.ts';
import { removeTree } from './mounts.ts';
import { cacheDir } from './paths.ts';
import { BASE_SCRIPT, DOCKER_SCRIPT, imageName, PACKAGES, SUITE } from './recipe.ts';
import { must, type RunResult, run } from './run.ts';

type Progress = (line: string) => void;

/** Runs a command inside a half-built tree in namespaces of its own, so that no mount and no daemon outlives it. */
const INSIDE = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];

const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

/** The folder of the finished root file system; built the first time, which takes a minute or two. */
export async function ensureRootfs(docker: boolean, onProgress: Progress): Promise<string> {
  const target = join(cacheDir(), imageName(docker));
  if (existsSync(target)) return target;
  const lock = join(cacheDir(), `.${imageName(docker)}.lock`);
  const onWait = (pid: number): void => onProgress(`waiting for process ${pid}, which builds the same image`);
  await withLock(lock, onWait, async () => {
    if (existsSync(target)) return;
    await clearHalfBuilt(target);
    const draft = `${target}.tmp-${process.pid}`;
    try {
      await (docker ? buildDocker(draft, onProgress) : buildBase(draft, onProgress));
      await rename(draft, target);
    } catch (error) {
      await removeTree(draft);
      throw error;
    }
  });
  return target;
}

/** While the lock is held nobody else builds this image, so every draft of it was left by a dead run. */
async function clearHalfBuilt(target: string): Promise<void> {
  for (const name of readdirSync(cacheDir())) {
    const path = join(cacheDir(), name);
    if (path.startsWith(`${target}.tmp-`)) await removeTree(path);
  }
}

async function buildBase(draft: string, onProgress: Progress): Promise<void> {
  const mirror = findMirror(SUITE);
  onProgress(`building a Debian ${SUITE} root file system from ${mirror.url} (once, about a minute)`);
  const trust = mirror.trusted ? ['--no-check-gpg'] : [];
  const keyring =
    mirror.keyring !== undefined && existsSync(mirror.keyring) ? [`--keyring=${mirror.keyring}`] : [];
  const include = `--include=${PACKAGES.base.join(',')}`;
  const argv = ['--variant=minbase', include, ...trust, ...keyring, SUITE, draft, mirror.url];
  const phases = debootstrapPhases(onProgress);
  const env = { ...(await aptProxy()), DEBIAN_FRONTEND: 'noninteractive' };
  const result = await run('unshare', [...INSIDE, 'debootstrap', ...argv], { env, onLine: phases });
  if (result.code !== 0) throw failed(result, mirror);
  await inside(draft, BASE_SCRIPT, mirror);
}

async function buildDocker(draft: string, onProgress: Progress): Promise<void> {
  const base = await ensureRootfs(false, onProgress);
  const mirror = findMirror(SUITE);
  onProgress(`adding ${PACKAGES.docker.join(', ')} to the root file system (once, one or two minutes)`);
  await must('cp', ['-a', base, draft]);
  await writeFile(join(draft, 'etc/apt/sources.list'), aptLine(mirror));
  await mkdir(join(draft, 'etc/ssl/certs'), { recursive: true });
  // For the download only: CA certificates for an https mirror, this computer's resolver, and no services started.
  const lent = [
    ['/etc/resolv.conf', 'etc/resolv.conf'],
    ['/etc/hosts', 'etc/hosts'],
    [CERTIFICATES, CERTIFICATES.slice(1)],
    ...(mirror.keyring === undefined ? [] : [[mirror.keyring, 'etc/apt/trusted.gpg.d/lab-mirror.gpg']]),
  ] as const;
  for (const [from = '', to = ''] of lent) if (existsSync(from)) await copyFile(from, join(draft, to));
  await writeFile(join(draft, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const script = `set -e
apt-get update -o Acquire::Check-Valid-Until=false
apt-get install -y --no-install-recommends ${PACKAGES.docker.join(' ')}
rm /usr/sbin/policy-rc.d
${DOCKER_SCRIPT}`;
  await inside(draft, script, mirror);
}

function aptLine({ url, trusted }: Mirror): string {
  return `deb ${trusted ? '[trusted=yes] ' : ''}${url} ${SUITE} main\n`;
}

async function inside(root: string, script: string, mirror: Mirror): Promise<void> {
  const env = { ...(await aptProxy()), DEBIAN_FRONTEND: 'noninteractive' };
  const argv = [...INSIDE.slice(0, -1), `--mount-proc=${root}/proc`, 'chroot', root, 'sh', '-c', script];
  const result = await run('unshare', argv, { env });
  if (result.code !== 0) throw failed(result, mirror);
}

/** debootstrap downloads by itself and does not read apt's proxy. */
async function aptProxy(): Promise<Record<string, string>> {
  const { stdout } = await run('apt-config', ['shell', 'HTTP', 'Acquire::http::Proxy']);
  const proxy = /HTTP='([^']+)'/.exec(stdout)?.[1];
  return proxy === undefined || proxy === 'DIRECT' ? {} : { http_proxy: proxy };
}

function debootstrapPhases(onProgress: Progress): Progress {
  let last = '';
  return (line) => {
    const phase = /^I: (Retrieving|Extracting|Unpacking|Configuring) /.exec(line)?.[1] ?? last;
    if (phase !== last) onProgress(`${phase.toLowerCase()} packages`);
    last = phase;
  };
}

function failed(result: RunResult, mirror: Mirror): ClusterError {
  const lines = `${result.stdout}\n${result.stderr}`.split('\n').filter((line) => line.trim() !== '');
  const words =
    lines.findLast((line) => /^(?:E|W): /.test(line)) ?? lines.at(-1) ?? `exit status ${result.code}`;
  return new ClusterError('lab-rootfs-failed', `the root file system could not be built: ${words}`, {
    hint: `check that ${mirror.url} can be reached and that the disk has 2 GB free, then run it again`,
  });
}
