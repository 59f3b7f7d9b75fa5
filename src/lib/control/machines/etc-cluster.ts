import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Config } from '../../config/index.ts';
import { ClusterError } from '../../error.ts';
import { isLoopback } from '../../traffic/index.ts';

/** The store's certificates, as text. */
export interface Certificates {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

const FOLDER = '/etc/cluster';
const NAMES = { ca: 'store-ca.pem', cert: 'store-cert.pem', key: 'store-key.pem' } as const;
const VARIABLES = { ca: 'CLUSTER_CA_FILE', cert: 'CLUSTER_CERT_FILE', key: 'CLUSTER_KEY_FILE' } as const;
const PARTS = ['ca', 'cert', 'key'] as const;

/** Where our processes on machines find the store: etcd's endpoints, or the folder of the embedded one. */
export type StoreAddress = { readonly endpoints: readonly string[] } | { readonly dataDir: string };

/**
 * The files of /etc/cluster, by name. `environment` is what units read by EnvironmentFile=; CLUSTER_SETTINGS in it is the
 * hash of all of them, so that a process shows with which settings it was started.
 * @throws `bad-setting` for a value that no environment file can hold.
 */
export function settingsFiles(
  config: Config,
  store: StoreAddress,
  certificates: Certificates,
): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const values: Record<string, string> =
    'endpoints' in store
      ? { CLUSTER_ENDPOINT: store.endpoints.join(',') }
      : { CLUSTER_DATA_DIR: store.dataDir };
  for (const part of PARTS) {
    const text = certificates[part];
    if (text === undefined) continue;
    files.set(NAMES[part], text);
    values[VARIABLES[part]] = `${FOLDER}/${NAMES[part]}`;
  }
  const { user, password, timeoutMs } = config.etcd ?? {};
  if (user !== undefined) values.CLUSTER_ETCD_USER = user;
  if (password !== undefined) values.CLUSTER_ETCD_PASSWORD = password;
  if (timeoutMs !== undefined) values.CLUSTER_REQUEST_TIMEOUT = `${timeoutMs}ms`;
  values.CLUSTER_KEY_PREFIX = config.prefix;
  values.CLUSTER_TRAFFIC_PREFIX = config.trafficPrefix;
  const lines = Object.entries(values).map(([name, value]) => `${name}=${quoted(name, value)}\n`);
  const content = ['# Written by cluster machine install\n', ...lines].join('');
  const all = [...files.values(), content];
  const stamp = sha256(all.map(sha256).join('\n')).slice(0, 16);
  files.set('environment', `${content}CLUSTER_SETTINGS=${stamp}\n`);
  return files;
}

/** The CLUSTER_SETTINGS of such files. */
export function settingsStamp(files: ReadonlyMap<string, string>): string {
  return /^CLUSTER_SETTINGS=(\S+)$/m.exec(files.get('environment') ?? '')?.[1] ?? '';
}

/** sha256 in hex. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Reads what the configuration names. @throws `config-invalid`. */
export async function readCertificates(config: Config): Promise<Certificates> {
  const read = async (part: (typeof PARTS)[number]): Promise<[string, string][]> => {
    const file = config.etcd?.[part];
    if (file === undefined) return [];
    try {
      return [[part, await readFile(file, 'utf8')]];
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw new ClusterError('config-invalid', `cannot read ${file}: ${code}`, {
        file,
        hint: 'check --ca-file, --cert-file and --key-file',
        cause,
      });
    }
  };
  return Object.fromEntries((await Promise.all(PARTS.map(read))).flat());
}

/** Reads `--machine-endpoint`: addresses separated by commas. @throws `bad-endpoint`. */
export function readEndpoints(text: string): string[] {
  const endpoints = text.split(',').flatMap((part) => part.trim().replace(/\/$/, '') || []);
  const bad = endpoints.find(
    (endpoint) => !/^(https?:\/\/)?(\[[0-9a-f:.]+\]|[\w.-]+):\d{1,5}$/i.test(endpoint),
  );
  if (bad !== undefined || endpoints.length === 0)
    throw new ClusterError('bad-endpoint', `"${bad ?? text}" is not the address of an etcd server`, {
      hint: 'such as --machine-endpoint http://10.0.0.5:2379,http://10.0.0.6:2379',
    });
  return endpoints;
}

/** Whether an endpoint means another server on every machine that reads it. */
export function isLocalEndpoint(endpoint: string): boolean {
  const [, host = ''] = /^(?:https?:\/\/)?(\[[^\]]+\]|[^:/]+):/i.exec(endpoint) ?? [];
  return isLoopback(host.replace(/^\[|\]$/g, ''));
}

/** As both systemd and sh read it. */
function quoted(name: string, value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  if (/[\u0000-\u001f\u007f]/.test(value))
    throw new ClusterError('bad-setting', `the value of ${name} has a control character in it`, {
      hint: 'a line of /etc/cluster/environment cannot hold it: choose another',
    });
  return `"${value.replace(/["\\$`]/g, '\\$&')}"`;
}
