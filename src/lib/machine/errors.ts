import { ClusterError, EXIT } from '../error.ts';
import type { MachineTarget } from './port.ts';

type Where = Pick<MachineTarget, 'address' | 'port' | 'user'>;

function machineError(
  code: string,
  where: Where,
  message: string,
  hint?: string,
  cause?: unknown,
): ClusterError {
  return new ClusterError(code, message, {
    machine: where.address,
    exit: EXIT.machine,
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** No conversation is possible: no route, no sshd, no answer in time, or the connection broke. */
export function unreachable(where: Where, why: string, cause?: unknown): ClusterError {
  return machineError(
    'machine-unreachable',
    where,
    `machine ${where.address} cannot be reached: ${why}`,
    `check that it is up and that sshd listens on port ${where.port}, as in: ssh -p ${where.port} ${where.user}@${where.address} true`,
    cause,
  );
}

/** sshd answered but accepted none of our keys. */
export function authRefused(where: Where, tried: readonly string[], locked: readonly string[]): ClusterError {
  const list = tried.length > 0 ? `tried ${tried.join(', ')}` : 'there is no key to try';
  const hint =
    locked.length > 0
      ? `${locked[0]} needs a passphrase: run ssh-add ${locked[0]} first`
      : `name a key with --ssh-identity, or run: ssh-copy-id -p ${where.port} ${where.user}@${where.address}`;
  return machineError(
    'machine-auth',
    where,
    `machine ${where.address} does not let ${where.user} in (${list})`,
    hint,
  );
}

/** The machine shows a host key and no known_hosts file knows any for it. */
export function hostKeyUnknown(where: Where, type: string, fingerprint: string, file: string): ClusterError {
  return machineError(
    'host-key-unknown',
    where,
    `the host key of ${where.address} is not known: ${type} ${fingerprint}`,
    `compare the fingerprint, then use --strict-host-key-checking=accept-new, or: ssh-keyscan -p ${where.port} ${where.address} >> ${file}`,
  );
}

/** The machine shows another key than the known one, or a revoked one. */
export function hostKeyChanged(where: Where, shown: string, known: string, place: string): ClusterError {
  return machineError(
    'host-key-changed',
    where,
    `the host key of ${where.address} has changed: it shows ${shown}, ${known}`,
    `somebody may be listening in, or the machine was set up anew: if you know why, remove ${place}`,
  );
}

/** The login is not root and sudo wants a password or says no. */
export function sudoRefused(where: Where): ClusterError {
  return machineError(
    'sudo-refused',
    where,
    `${where.user} may not use sudo without a password on ${where.address}`,
    `log in as root, or put there in /etc/sudoers.d/cluster: ${where.user} ALL=(ALL) NOPASSWD: ALL`,
  );
}

/** systemd's bus does not answer on this machine. */
export function busUnavailable(where: Where, why: string, cause?: unknown): ClusterError {
  return machineError(
    'dbus-unavailable',
    where,
    `systemd on ${where.address} does not answer: ${why}`,
    'cluster needs systemd and dbus there: try systemctl status dbus on that machine',
    cause,
  );
}

/** A command of ours ended in a way that we do not know. */
export function commandFailed(where: Where, what: string, code: number, stderr: string): ClusterError {
  const last = stderr.trim().split('\n').at(-1) ?? '';
  return new ClusterError(
    'machine-command',
    `${what} failed on ${where.address}: ${last === '' ? `exit status ${code}` : last}`,
    { machine: where.address },
  );
}
