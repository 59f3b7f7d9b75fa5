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

/** Reads the known_hosts files that count for this machine. */
export async function trustFor(
  target: MachineTarget,
  options: SshOptions,
  config: HostConfig,
  host: { readonly name: string; readonly port: number },
): Promise<Trust> {
  const own = target.knownHosts ?? options.knownHosts;
  const users = own ? [own] : (config.knownHostsFiles ?? usersFiles());
  const files = own ? users : [...users, '/etc/ssh/ssh_known_hosts'];
  const entries = await Promise.all(files.map(async (file) => ({ file, hosts: await readHosts(file) })));
  const hosts = entries.flatMap((one) => one.hosts);
  const acceptNew = options.strictHostKeyChecking === 'accept-new' || config.acceptNew;
  const first = users[0] ?? usersFiles()[0]!;
  return {
    algorithms: hostKeyAlgorithms(hosts, host.name, host.port),
    judge: async (key) => {
      const verdict = checkHostKey(hosts, host.name, host.port, key);
      const shown = `${keyType(key)} ${fingerprint(key)}`;
      if (verdict.status === 'known') return null;
      if (verdict.status === 'unknown') {
        if (!acceptNew) return hostKeyUnknown(target, keyType(key), fingerprint(key), first);
        return remember(first, host.name, host.port, key).catch(() =>
          hostKeyUnknown(target, keyType(key), `${fingerprint(key)}, and ${first} cannot be written`, first),
        );
      }
      const place = placeOf(entries, verdict.known);
      const known = `${verdict.known.type} ${fingerprint(verdict.known.key)}`;
      const says = verdict.status === 'revoked' ? `which ${place} revokes` : `${place} says ${known}`;
      return hostKeyChanged(target, shown, says, place);
    },
  };
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
