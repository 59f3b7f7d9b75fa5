import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { ClusterError } from '../../../error.ts';

/** Who HAProxy's worker runs as, while its master stays what the gateway is. */
export interface WorkerUser {
  readonly uid: number;
  readonly gid: number;
}

const USUAL = 'haproxy';
/** CAP_KILL (the master signals its workers), CAP_SETGID, CAP_SETUID, CAP_SYS_CHROOT. */
const NEEDED = [5, 6, 7, 18];

/**
 * @param wanted '' = the gateway's own, null = `haproxy` where there is such a user.
 * @returns null where the worker has to run as the gateway does: it is not root, or lacks a capability.
 * @throws ClusterError `bad-value` for a user that does not exist.
 */
export async function workerUser(wanted: string | null): Promise<WorkerUser | null> {
  const name = wanted ?? USUAL;
  if (name === '' || name === 'root' || process.getuid?.() !== 0) return null;
  const [uid, gid] = [await idOf('-u', name), await idOf('-g', name)];
  if (uid === null || gid === null) {
    if (wanted === null) return null;
    throw new ClusterError('bad-value', `--proxy-user ${JSON.stringify(name)}: there is no such user`, {
      hint: `useradd --system --no-create-home --shell /usr/sbin/nologin ${USUAL}, or --proxy-user '' for none`,
    });
  }
  return uid !== 0 && (await mayChange()) ? { uid, gid } : null;
}

function idOf(flag: '-u' | '-g', name: string): Promise<number | null> {
  return new Promise((resolve) => {
    execFile('id', [flag, '--', name], { timeout: 10_000 }, (error, stdout) => {
      resolve(error === null && /^\d+\s*$/.test(stdout) ? Number(stdout) : null);
    });
  });
}

async function mayChange(): Promise<boolean> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  const held = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return NEEDED.every((bit) => ((held >> BigInt(bit)) & 1n) === 1n);
}
