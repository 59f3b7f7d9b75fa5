import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { ClusterError } from '../error.ts';
import { readServerUrl } from '../traffic/index.ts';
import { openDocker } from './containers/docker.ts';
import { splitTags } from './offers/metadata.ts';
import type { RegistratorOptions } from './registrator.ts';

/** As typed; times in seconds. */
export interface RegistratorFlags {
  readonly ip?: string | undefined;
  readonly internal: boolean;
  readonly ttl: number;
  readonly ttlRefresh: number;
  readonly resync: number;
  readonly deregister: string;
  readonly grace: number;
  readonly explicit: boolean;
  readonly tags: string;
  readonly docker: string;
  readonly machine?: string | undefined;
}

/**
 * What the command line and this machine say.
 * @throws `bad-address`, `bad-docker`, `no-machine-id`.
 */
export async function registratorOptions(
  flags: RegistratorFlags,
): Promise<Omit<RegistratorOptions, 'store' | 'prefix' | 'trafficPrefix' | 'print' | 'problem'>> {
  const { ip, internal, explicit } = flags;
  if (ip !== undefined && !isAddress(ip))
    throw new ClusterError('bad-address', `--ip ${JSON.stringify(ip)} is no address`, {
      hint: 'an address or name by which gateways reach this machine, such as 10.0.0.5',
    });
  return {
    engine: await openDocker(flags.docker),
    machine: flags.machine ?? (await machineId()),
    hostname: hostname(),
    ip: ip ?? null,
    ttlSeconds: flags.ttl,
    refreshSeconds: flags.ttlRefresh,
    graceMs: flags.grace * 1000,
    resyncMs: flags.resync * 1000,
    deregister: flags.deregister === 'on-success' ? 'on-success' : 'always',
    internal,
    explicit,
    tags: splitTags(flags.tags),
  };
}

/** Whether servers' URLs can have it. */
function isAddress(text: string): boolean {
  const read = readServerUrl(`http://${isIP(text) === 6 ? `[${text}]` : text}:1`);
  return typeof read !== 'string' && read.host === text;
}

async function machineId(): Promise<string> {
  const id = await readFile('/etc/machine-id', 'utf8').then(
    (text) => text.trim(),
    () => '',
  );
  if (/^[0-9a-f]{32}$/.test(id)) return id;
  throw new ClusterError('no-machine-id', '/etc/machine-id names no machine', {
    hint: 'systemd-machine-id-setup writes it',
  });
}
