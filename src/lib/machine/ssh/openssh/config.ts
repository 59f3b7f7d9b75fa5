import { ClusterError } from '../../../error.ts';
import type { MachineTarget, SshOptions } from '../../port.ts';

/** What goes into the configuration that our own ssh processes read, before the user's. */
export interface OwnConfig {
  readonly target: MachineTarget;
  readonly options: SshOptions;
  /** Seconds for the TCP connection and sshd's first words. */
  readonly connectSeconds: number;
  /** Whether ssh may ask on the terminal. */
  readonly asks: boolean;
  /** known_hosts file with keys that were shared through the registry. */
  readonly sharedKeys?: string;
  /** The system-wide known_hosts files that count beside it. */
  readonly globalKeys: readonly string[];
  /** Whether the client's configuration says `StrictHostKeyChecking accept-new`. */
  readonly acceptNew: boolean;
  /** ServerAliveInterval in seconds and ServerAliveCountMax; null = those of the client's configuration. */
  readonly keepAlive: { readonly interval: number; readonly count: number } | null;
}

/**
 * A configuration file of ours that includes the user's. In a file, not on the command line, so that it also holds for
 * the processes that ssh starts for jump machines. The first value of an option counts.
 */
export function ownConfig(own: OwnConfig): string {
  const { target, options, connectSeconds, asks, sharedKeys, globalKeys } = own;
  const knownHosts = target.knownHosts ?? options.knownHosts;
  const identity = options.identity ?? target.identity;
  const acceptNew = options.strictHostKeyChecking === 'accept-new' || own.acceptNew;
  const strict = acceptNew ? 'accept-new' : asks ? 'ask' : 'yes';
  // A known_hosts file that was named is the only one that counts.
  const system = knownHosts === undefined ? globalKeys : ['/dev/null'];
  const global =
    sharedKeys === undefined ? (knownHosts === undefined ? [] : system) : [sharedKeys, ...system];
  const lines = [
    `BatchMode ${asks ? 'no' : 'yes'}`,
    `StrictHostKeyChecking ${strict}`,
    `ConnectTimeout ${connectSeconds}`,
    ...(own.keepAlive === null
      ? []
      : [`ServerAliveInterval ${own.keepAlive.interval}`, `ServerAliveCountMax ${own.keepAlive.count}`]),
    'ClearAllForwardings yes',
    'PermitLocalCommand no',
    'RemoteCommand none',
    'RequestTTY no',
    'ForwardX11 no',
    'UpdateHostKeys no',
    'VisualHostKey no',
    ...(knownHosts === undefined ? [] : [`UserKnownHostsFile ${word(knownHosts)}`]),
    ...(global.length === 0 ? [] : [`GlobalKnownHostsFile ${global.map(word).join(' ')}`]),
    ...(identity === undefined ? [] : [`IdentityFile ${word(identity)}`]),
  ];
  const users = options.config === undefined ? ['~/.ssh/config', '/etc/ssh/ssh_config'] : [options.config];
  const includes = users.flatMap((file) => (file === null ? [] : [`Include ${word(file)}`]));
  return [
    'Host *',
    ...lines.map((line) => `  ${line}`),
    ...includes.flatMap((line) => ['Host *', line]),
    '',
  ].join('\n');
}

/** Arguments of the process that logs in and then carries all others; it goes to the background when it is ready. */
export function masterArgs(place: {
  readonly config: string;
  readonly control: string;
  readonly log: string;
  readonly target: MachineTarget;
  /** How long it lives after the last of us is gone, so that a killed run leaves nothing behind. */
  readonly lingerSeconds: number;
}): string[] {
  const { config, control, log, target, lingerSeconds } = place;
  const options = {
    ControlMaster: 'yes',
    ControlPersist: lingerSeconds,
    ForwardAgent: 'yes',
    LogLevel: 'DEBUG1',
  };
  return [
    ...['-f', '-N', '-F', config, '-S', control, '-E', log],
    ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
    ...['-l', target.user, '-p', String(target.port), '--', target.address],
  ];
}

/**
 * Arguments of a process that uses the connection of the first. It reads no configuration, and never connects by itself:
 * its own attempt, after the first process refused it, ends at once.
 */
export function clientArgs(control: string, log: string): string[] {
  const options = { ProxyCommand: 'false', ControlMaster: 'no', LogLevel: 'DEBUG2' };
  return [
    ...['-F', '/dev/null', '-S', control, '-E', log],
    ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
  ];
}

/** @throws ClusterError `config-invalid` for a path that would end the word, and begin an option of its own. */
function word(path: string): string {
  if (/["\p{Cc}]/u.test(path))
    throw new ClusterError('config-invalid', `${JSON.stringify(path)} cannot stand in an SSH configuration`, {
      hint: 'choose a path without quotes and control characters',
    });
  return `"${path.replaceAll('%', '%%')}"`;
}
