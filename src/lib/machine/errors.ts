import { ClusterError, EXIT } from '../error.ts';
import type { MachineTarget } from './port.ts';
import type { SudoRefusal } from './ssh/sudo.ts';

/** `command` is what logs in as the configuration says, such as `ssh web`. */
type Where = Pick<MachineTarget, 'address' | 'port' | 'user'> & { readonly command?: string };

const sshTo = (where: Where): string =>
  where.command ?? `ssh -p ${where.port} ${where.user}@${where.address}`;

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
    `check that it is up and that sshd listens on port ${where.port}, as in: ${sshTo(where)} true`,
    cause,
  );
}

/** The machine carries another cluster's id. `registry` is ours; absent = not known here. */
export function machineOwned(where: Where, owner: string, registry?: string): ClusterError {
  const { address, user, port } = where;
  const spec = `${user}@${address}${port === 22 ? '' : `:${port}`}`;
  const ours = registry === undefined ? '' : `; this registry is cluster ${registry.slice(0, 8)}`;
  return new ClusterError(
    'machine-owned',
    `machine ${address} belongs to cluster ${owner.slice(0, 8)}${ours}`,
    {
      machine: address,
      hint: `name that cluster's registry (--endpoint, --data-dir, --etcd-key-prefix); to move the machine here: cluster machine add --take-over ${spec}`,
      exit: EXIT.machine,
    },
  );
}

/** What happened at a login that was refused. */
export interface RefusedLogin {
  /** Keys that were offered, as a person names them. */
  readonly tried: readonly string[];
  /** Key files whose passphrase was not given. */
  readonly locked: readonly string[];
  /** sshd ended the login because too many keys were offered. */
  readonly tooMany?: boolean;
  /** A key was accepted, and sshd asks for these methods too. */
  readonly missing?: readonly string[];
  /** What is wrong with a certificate that was offered. */
  readonly certificate?: string;
}

/** sshd answered but did not let us in. */
export function authRefused(where: Where, login: RefusedLogin): ClusterError {
  const { tried, locked, tooMany = false, missing = [], certificate } = login;
  const { address, user } = where;
  const list = tried.length > 0 ? `tried ${tried.join(', ')}` : 'there is no key to try';
  const refused = (message: string, hint: string) => machineError('machine-auth', where, message, hint);
  if (missing.length > 0)
    return refused(
      `machine ${address} accepts the key of ${user} and also wants ${missing.join(' or ')}, a second factor`,
      'run the command on a terminal, where OpenSSH asks for it, or use a login that needs no second factor',
    );
  if (tooMany)
    return refused(
      `machine ${address} ended the login of ${user}: too many authentication failures (${list})`,
      'name the right key with --ssh-identity, or with IdentityFile and IdentitiesOnly yes in ~/.ssh/config',
    );
  if (certificate !== undefined)
    return refused(
      `machine ${address} does not let ${user} in: ${certificate}`,
      `get a new certificate for ${user}, then try: ${sshTo(where)} true`,
    );
  const key =
    where.command === undefined || where.command.endsWith(`@${address}`)
      ? `ssh-copy-id -p ${where.port} ${user}@${address}`
      : `${where.command} true`;
  return refused(
    `machine ${address} does not let ${user} in (${list})`,
    locked.length > 0
      ? `${locked[0]} needs a passphrase: run ssh-add ${locked[0]} first`
      : `name a key with --ssh-identity, or another user (as in admin@${address}), or run: ${key}`,
  );
}

/** The machine shows a host key and no known_hosts file knows any for it. `scan` fetches the key for a known_hosts file. */
export function hostKeyUnknown(where: Where, type: string, fingerprint: string, scan: string): ClusterError {
  return machineError(
    'host-key-unknown',
    where,
    `the host key of ${where.address} is not known: ${type} ${fingerprint}`,
    `compare the fingerprint, then use --strict-host-key-checking=accept-new, or: ${scan}`,
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

/** The login is not root, and sudo does not run our commands. */
export function sudoRefused(where: Where, why: SudoRefusal): ClusterError {
  const { user, address } = where;
  const rule = `${user} ALL=(ALL) NOPASSWD: ALL`;
  const allow = `log in as root, or put this into /etc/sudoers.d/cluster there: ${rule}`;
  const words: Readonly<Record<SudoRefusal, readonly [string, string]>> = {
    password: [`${user} may not use sudo without a password on ${address}`, allow],
    terminal: [
      `sudo on ${address} runs nothing for ${user} without a terminal (requiretty)`,
      `put this into /etc/sudoers.d/cluster there: Defaults:${user} !requiretty`,
    ],
    'not-allowed': [`sudo on ${address} allows ${user} some commands only, and not those of cluster`, allow],
    'not-in-sudoers': [`${user} is not in the sudoers file of ${address}`, allow],
    missing: [`sudo is not installed on ${address}`, 'log in as root, or install sudo there'],
    unknown: [
      `sudo on ${address} does not work for ${user}`,
      `see what it says: ${sshTo(where)} sudo -n true`,
    ],
  };
  const [message, hint] = words[why];
  return machineError('sudo-refused', where, message, hint);
}

/** The login shell ended before it came to our command: nologin, a forced command, an expired account. */
export function shellUnusable(where: Where, code: number, said: string): ClusterError {
  const last = said.trim().split('\n').at(-1)?.trim() ?? '';
  return machineError(
    'login-shell',
    where,
    `the login of ${where.user} on ${where.address} runs no commands: ${last || `exit status ${code}`}`,
    `check the login shell there and command= in authorized_keys, as in: ${sshTo(where)} true`,
  );
}

/** sshd lets us in and opens no session. */
export function noSession(where: Where): ClusterError {
  return machineError(
    'no-session',
    where,
    `sshd on ${where.address} opens no session for ${where.user}`,
    'check MaxSessions in /etc/ssh/sshd_config there: it must be 1 or more',
  );
}

/** The configuration needs the system's OpenSSH client, which is not here or may not be used. */
export function needsOpenssh(where: Where, reason: string, forbidden: boolean): ClusterError {
  return machineError(
    'ssh-client',
    where,
    forbidden
      ? `${where.address} cannot be reached with --ssh-transport ssh2: ${reason}`
      : `${where.address} needs the OpenSSH client, and there is no ssh here: ${reason}`,
    forbidden
      ? 'use --ssh-transport auto'
      : 'install it (Debian: apt-get install openssh-client), or use --ssh-transport ssh2 to do without that option',
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
