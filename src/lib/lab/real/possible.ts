import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ClusterError } from '../../error.ts';
import { cgroupRoots } from './cgroup.ts';
import { labRoot } from './paths.ts';
import { lastWords, run, toolEnvironment } from './run.ts';

/** The programs that the lab runs, and the Debian packages that provide them. */
const TOOLS: Readonly<Record<string, string>> = {
  debootstrap: 'debootstrap',
  'systemd-nspawn': 'systemd-container',
  ip: 'iproute2',
  ssh: 'openssh-client',
  'ssh-keygen': 'openssh-client',
  unshare: 'util-linux',
};

/** Tries everything that a machine needs from the kernel, in namespaces that are gone at once. */
const TRIAL = `
mount -t tmpfs tmpfs "$1" && mkdir "$1/lower" "$1/merged" || exit 1
mount -t overlay overlay -o "lowerdir=$1/lower,upperdir=$2/upper,workdir=$2/work" "$1/merged" || exit 2
command -v ip >/dev/null || exit 0
ip link add cltrial0 type bridge && ip link add cltrial1 type veth peer name cltrial2
`;

/**
 * Why real machines cannot work on this computer, as one line; null = they can. Changes nothing: what apt-get could still
 * install counts as there.
 */
export function labPossible(stateDir?: string): string | null {
  return obstacle(stateDir)?.message ?? null;
}

/** Throws what {@link labPossible} says, then installs the tools that are missing. */
export async function ensureTools(
  stateDir: string | undefined,
  onProgress: (line: string) => void,
): Promise<void> {
  const before = obstacle(stateDir);
  if (before !== null) throw before;
  const missing = missingPackages();
  if (missing.length === 0) return;
  onProgress(`installing ${missing.join(', ')}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['install', '-y', '--no-install-recommends', ...missing];
  let result = await run('apt-get', install, { env });
  if (result.code !== 0) {
    await run('apt-get', ['update'], { env });
    result = await run('apt-get', install, { env });
  }
  if (result.code !== 0) throw noTools(missing, lastWords(result));
  const after = obstacle(stateDir);
  if (after !== null) throw after;
}

function obstacle(stateDir: string | undefined): ClusterError | null {
  const hollow = 'use hollow machines: `cluster lab up --hollow 3`';
  if (process.platform !== 'linux') {
    const message = `real machines need Linux, and this is ${process.platform}`;
    return new ClusterError('lab-not-linux', message, { hint: hollow });
  }
  if (process.getuid?.() !== 0) {
    return new ClusterError('lab-not-root', 'real machines need root', {
      hint: 'run it with sudo, or use hollow machines: `cluster lab up --hollow 3`',
    });
  }
  const missing = missingPackages();
  if (missing.length > 0 && !has('apt-get')) return noTools(missing, 'there is no apt-get here');
  if (cgroupRoots().length === 0) {
    const message = 'this computer shows no cgroups that systemd can use in /sys/fs/cgroup';
    return new ClusterError('lab-no-namespaces', message, { hint: hollow });
  }
  const refusal = trial(labRoot(stateDir));
  if (refusal === null) return null;
  return new ClusterError('lab-no-namespaces', `this computer does not let us make machines: ${refusal}`, {
    hint: hollow,
  });
}

function noTools(missing: readonly string[], why: string): ClusterError {
  return new ClusterError('lab-no-debootstrap', `real machines need ${missing.join(', ')}: ${why}`, {
    hint: 'install them, or use hollow machines: `cluster lab up --hollow 3`',
  });
}

function missingPackages(): string[] {
  const missing = Object.entries(TOOLS).filter(([tool]) => !has(tool));
  return [...new Set(missing.map(([, name]) => name))];
}

function has(tool: string): boolean {
  const path = toolEnvironment().PATH ?? '';
  return path.split(':').some((dir) => dir !== '' && existsSync(join(dir, tool)));
}

function trial(root: string): string | null {
  if (!has('unshare')) return null;
  let parent = root;
  while (!existsSync(parent)) parent = dirname(parent);
  // On the disk that the labs will use: overlayfs refuses another overlayfs as its upper layer.
  const dir = mkdtempSync(join(parent, '.trial-'));
  const mountPoint = mkdtempSync(join(parent, '.trial-'));
  try {
    const script = `mkdir "$2/upper" "$2/work" && { ${TRIAL} }; code=$?; umount "$1/merged" 2>/dev/null; rm -r "$2/upper" "$2/work"; exit $code`;
    const argv = [
      '--mount',
      '--net',
      '--pid',
      '--uts',
      '--ipc',
      '--fork',
      'sh',
      '-c',
      script,
      'sh',
      mountPoint,
      dir,
    ];
    const result = spawnSync('unshare', argv, { env: toolEnvironment(), encoding: 'utf8', timeout: 20_000 });
    if (result.status === 0) return null;
    const words = (result.stderr ?? '').split('\n').find((line) => line.trim() !== '');
    return words?.trim() ?? `unshare ended with ${result.status ?? result.signal}`;
  } finally {
    for (const path of [dir, mountPoint]) rmdirSync(path);
  }
}
