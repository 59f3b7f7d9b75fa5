import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../../../src/lib/config/index.ts';
import { Session } from '../../../../src/lib/control/session.ts';
import { openEmbedded } from '../../../../src/lib/store/embedded.ts';
import { openEtcd } from '../../../../src/lib/store/etcd.ts';
import type { Store } from '../../../../src/lib/store/port.ts';
import { startEtcd } from '../../../support/etcd-server.ts';

/** A real store of one kind, and how commands are told of it. */
export interface Place {
  readonly store: Store;
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export const PLACES: Readonly<Record<string, () => Promise<Place>>> = {
  embedded: async () => {
    const directory = await mkdtemp(join(tmpdir(), 'cluster-traffic-'));
    const store = await openEmbedded(directory);
    const close = async () => {
      await store.close();
      await rm(directory, { recursive: true, force: true });
    };
    return { store, env: { CLUSTER_DATA_DIR: directory }, close };
  },
  etcd: async () => {
    const server = await startEtcd();
    const store = await openEtcd({ endpoints: [server.endpoint], timeoutMs: 5000 });
    const close = async () => {
      await store.close();
      await server.stop();
    };
    return { store, env: { CLUSTER_ENDPOINT: server.endpoint }, close };
  },
};

export interface Told {
  readonly session: Session;
  /** Warnings and problems that a person would read. */
  readonly heard: string[];
}

/** What one run of a command works with, in this process. */
export async function sessionOf(env: Readonly<Record<string, string>>): Promise<Told> {
  const nowhere = join(import.meta.dirname, 'no-such-folder');
  const config = await loadConfig({ flags: {}, env, cwd: nowhere, home: nowhere });
  const heard: string[] = [];
  const emit = (event: object) => void ('message' in event && heard.push(String(event.message)));
  return { session: new Session({ config, emit }), heard };
}

let count = 0;

/** Prefixes that no other test uses. */
export function freshPrefixes() {
  count += 1;
  return { CLUSTER_TRAFFIC_PREFIX: `/vulcand-${count}`, CLUSTER_KEY_PREFIX: `/cluster-${count}` };
}
