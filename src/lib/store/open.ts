import { readFile } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { ClusterError, EXIT } from '../error.ts';
import type { Store } from './port.ts';

/** Opens a stream from `machine` to `host:port` as seen from there. */
export type Tunnel = (machine: string, host: string, port: number) => Promise<Duplex>;

/** Which store, as the configuration says it. */
export interface StoreSettings {
  /** Folder of the embedded store. */
  readonly dataDir: string;
  /** null: the embedded store. */
  readonly etcd: EtcdSettings | null;
}

interface EtcdSettings {
  readonly endpoints: readonly string[];
  readonly timeoutMs: number;
  /** Paths of PEM files. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly user?: string;
  readonly password?: string;
  /** The machine through which etcd is reached. */
  readonly tunnel?: string;
}

/**
 * Opens the store that the configuration names: etcd when there is an endpoint, else the embedded one. A driver is
 * loaded only here and only when used.
 */
export async function openStore(config: StoreSettings, tunnel?: Tunnel): Promise<Store> {
  if (config.etcd === null) {
    const { openEmbedded } = await import('./embedded.ts');
    return openEmbedded(config.dataDir);
  }
  return openConfigured(config.etcd, tunnel);
}

async function openConfigured(config: EtcdSettings, tunnel: Tunnel | undefined): Promise<Store> {
  const { tunnel: machine, user, password } = config;
  if (machine !== undefined && tunnel === undefined) {
    throw new ClusterError('store-unreachable', `no tunnel through ${machine} is possible here`, {
      exit: EXIT.store,
      hint: 'run the command without --tunnel',
    });
  }
  const [ca, cert, key] = await Promise.all([pem(config.ca), pem(config.cert), pem(config.key)]);
  const { openEtcd } = await import('./etcd.ts');
  return openEtcd({
    endpoints: config.endpoints,
    timeoutMs: config.timeoutMs,
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password }),
    ...(machine !== undefined &&
      tunnel && { via: machine, connect: (host, port) => tunnel(machine, host, port) }),
  });
}

async function pem(path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new ClusterError('config-invalid', `cannot read ${path}: ${code}`, {
      file: path,
      hint: 'check --ca-file, --cert-file and --key-file',
      cause,
    });
  }
}
