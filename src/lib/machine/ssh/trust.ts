import { appendFile, mkdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ClusterError } from '../../error.ts';
import { hostKeyChanged, hostKeyUnknown } from '../errors.ts';
import type { MachineTarget, SshOptions } from '../port.ts';
import {
  checkHostKey,
  fingerprint,
  hostKeyAlgorithms,
  hostName,
  type KnownHost,
  keyType,
  knownHostLine,
  parseKnownHosts,
} from './known-hosts.ts';
import type { HostConfig } from './ssh-config.ts';

/** Host key decisions for one connection. */
export interface Trust {
  /** Algorithms to offer, in order. */
  readonly algorithms: readonly string[];
  /** Null when the key is trusted. */
  judge(key: Buffer): Promise<ClusterError | null>;
}

interface FileEntries {
  readonly file: string;
  readonly hosts: readonly KnownHost[];
}

const cache = new Map<string, { stamp: string; hosts: readonly KnownHost[] }>();

/** The name and port that host keys of a machine are looked up by. */
export function trustName(target: MachineTarget, config: HostConfig): { name: string; port: number } {
  if (config.hostKeyAlias !== undefined) return { name: config.hostKeyAlias, port: 22 };
  return { name: config.hostName, port: target.port };
}

/** Reads the known_hosts files that count for this machine. */
export async function trustFor(
  target: MachineTarget,
  options: SshOptions,
  config: HostConfig,
): Promise<Trust> {
  const { name, port } = trustName(target, config);
  const { entries, first } = await readKnown(target, options, config);
  const hosts = entries.flatMap((one) => one.hosts);
  const shared = sharedEntries(target, name, port);
  const acceptNew = options.strictHostKeyChecking === 'accept-new' || config.acceptNew;
  const where = { ...target, command: config.command };

  const unknown = async (key: Buffer): Promise<ClusterError | null> => {
    const type = keyType(key);
    const print = fingerprint(key);
    const asked = options.askHostKey;
    const accepted =
      acceptNew ||
      (asked !== undefined && (await asked({ address: target.address, type, fingerprint: print })));
    const scan = `ssh-keyscan -p ${target.port} ${config.hostName} >> ${first}`;
    if (!accepted) return hostKeyUnknown(where, type, print, scan);
    return remember(first, name, port, key).catch(() =>
      hostKeyUnknown(where, type, `${print}, and ${first} cannot be written`, scan),
    );
  };

  return {
    algorithms: hostKeyAlgorithms([...hosts, ...shared], name, port),
    judge: async (key) => {
      const verdict = checkHostKey(hosts, name, port, key);
      if (verdict.status === 'known') return null;
      if (verdict.status === 'unknown') {
        return shared.some((one) => one.key.equals(key)) ? null : await unknown(key);
      }
      const place = placeOf(entries, verdict.known);
      const known = `${verdict.known.type} ${fingerprint(verdict.known.key)}`;
      const says = verdict.status === 'revoked' ? `which ${place} revokes` : `${place} says ${known}`;
      return hostKeyChanged(where, `${keyType(key)} ${fingerprint(key)}`, says, place);
    },
  };
}

/** The host keys of a machine that this operator's known_hosts files trust, as `type base64`. */
export async function trustedHostKeys(
  target: MachineTarget,
  options: SshOptions,
  config: HostConfig,
): Promise<string[]> {
  const { name, port } = trustName(target, config);
  const { entries } = await readKnown(target, options, config);
  const hosts = entries.flatMap((one) => one.hosts);
  const keys = hosts.filter((one) => checkHostKey(hosts, name, port, one.key).status === 'known');
  return [...new Set(keys.map(({ type, key }) => `${type} ${key.toString('base64')}`))];
}

/** Shared keys that no known_hosts file contradicts, as lines of such a file. */
export async function sharedLines(
  target: MachineTarget,
  options: SshOptions,
  config: HostConfig,
): Promise<string> {
  const { name, port } = trustName(target, config);
  const { entries } = await readKnown(target, options, config);
  const hosts = entries.flatMap((one) => one.hosts);
  return sharedEntries(target, name, port)
    .filter(({ key }) => checkHostKey(hosts, name, port, key).status === 'unknown')
    .map(({ key }) => knownHostLine(name, port, key))
    .join('');
}

async function readKnown(target: MachineTarget, options: SshOptions, config: HostConfig) {
  const own = target.knownHosts ?? options.knownHosts;
  const users = own ? [own] : (config.knownHostsFiles ?? usersFiles());
  const global = config.globalKnownHostsFiles ?? ['/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2'];
  const files = own ? users : [...users, ...global];
  const entries = await Promise.all(files.map(async (file) => ({ file, hosts: await readHosts(file) })));
  return { entries, first: users[0] ?? usersFiles()[0]! };
}

function sharedEntries(target: MachineTarget, name: string, port: number): KnownHost[] {
  const text = (target.hostKeys ?? []).map((line) => `${hostName(name, port)} ${line}`).join('\n');
  return parseKnownHosts(text);
}

function usersFiles(): string[] {
  return ['known_hosts', 'known_hosts2'].map((name) => join(homedir(), '.ssh', name));
}

function placeOf(entries: readonly FileEntries[], known: KnownHost): string {
  const file = entries.find((one) => one.hosts.includes(known))?.file ?? 'known_hosts';
  return `${file}:${known.line}`;
}

async function readHosts(file: string): Promise<readonly KnownHost[]> {
  try {
    const { mtimeMs, size, ino } = await stat(file);
    const stamp = `${ino}:${size}:${mtimeMs}`;
    const known = cache.get(file);
    if (known?.stamp === stamp) return known.hosts;
    const hosts = parseKnownHosts(await readFile(file, 'utf8'));
    cache.set(file, { stamp, hosts });
    return hosts;
  } catch {
    return [];
  }
}

async function remember(file: string, host: string, port: number, key: Buffer): Promise<null> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const text = await readFile(file, 'utf8').catch(() => '');
  const gap = text === '' || text.endsWith('\n') ? '' : '\n';
  await appendFile(file, gap + knownHostLine(host, port, key), { mode: 0o600 });
  return null;
}
