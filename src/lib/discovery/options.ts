import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { ClusterError } from '../error.ts';
import {
  inJournal,
  jsonLine,
  localMachineId,
  type Report,
  Reporter,
  readinessOf,
  textLine,
} from '../keep/index.ts';
import { readServerUrl } from '../traffic/index.ts';
import { openDocker } from './containers/docker.ts';
import { splitTags } from './offers/metadata.ts';
import type { RegistratorOptions } from './registrator.ts';

/** Flags as they were typed; times in seconds. */
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
 * Options from the command line and from this machine.
 * @throws `bad-address`, `bad-docker`, `no-machine-id`.
 */
export async function registratorOptions(
  flags: RegistratorFlags,
): Promise<Omit<RegistratorOptions, 'store' | 'prefix' | 'trafficPrefix' | 'report'>> {
  const { ip, internal, explicit } = flags;
  if (ip !== undefined && !isAddress(ip))
    throw new ClusterError('bad-address', `--ip ${JSON.stringify(ip)} is not an address`, {
      hint: 'an address or name by which gateways reach this machine, such as 10.0.0.5',
    });
  return {
    runtime: await openDocker(flags.docker),
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
    ready: readinessOf(process.env),
  };
}

/** Whether it can be the host of a server's URL. */
function isAddress(text: string): boolean {
  const read = readServerUrl(`http://${isIP(text) === 6 ? `[${text}]` : text}:1`);
  return typeof read !== 'string' && read.host === text;
}

async function machineId(): Promise<string> {
  const id = await localMachineId();
  if (id !== null) return id;
  throw new ClusterError('no-machine-id', '/etc/machine-id has no machine id', {
    hint: 'systemd-machine-id-setup writes it',
  });
}

/**
 * Reports what happens by `print` (standard output), and problems on standard error; with `json` each line is an object.
 * @param print takes text with its line break.
 */
export function registratorReport(json: boolean, print: (text: string) => void): Report {
  const write = (line: string, severity: string): void => {
    if (severity === 'info') print(`${line}\n`);
    else process.stderr.write(`${line}\n`);
  };
  return new Reporter('info', write, json ? jsonLine : inJournal(textLine));
}
