import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openEtcd } from '../../../src/lib/store/etcd.ts';
import type { Store } from '../../../src/lib/store/port.ts';
import { type EtcdCluster, startEtcdCluster } from '../../support/etcd-cluster.ts';
import { startEtcd } from '../../support/etcd-server.ts';

const WITHIN_MS = 3000;
let etcd: EtcdCluster;
let store: Store;
let ending: AbortController;
/** When a watcher saw each value, by the clock of this process. */
let seen: Map<string, number>[];

/** A follower that is not the first of our endpoints, so that a frozen first endpoint is no leader. */
async function open(first: number): Promise<Store> {
  const order = [first, ...[0, 1, 2].filter((member) => member !== first)];
  return await openEtcd({ endpoints: order.map((member) => etcd.endpoints[member]!), timeoutMs: 3000 });
}

function watch(): void {
  const values = new Map<string, number>();
  seen.push(values);
  void (async () => {
    for await (const event of store.watch('/w/', 0, ending.signal))
      if (event.type === 'put') values.set(event.entry.value, performance.now());
  })();
}

/** Writes on a member that is well, and says how long each watcher took to see it. */
async function written(member: number, value: string): Promise<number[]> {
  etcd.etcdctl(member, '--command-timeout=8s', 'put', '/w/key', value);
  const since = performance.now();
  while (seen.some((values) => !values.has(value)) && performance.now() < since + 20_000) await sleep(10);
  return seen.map((values) => (values.get(value) ?? Number.POSITIVE_INFINITY) - since);
}

beforeEach(async () => {
  // Installs etcd where it is missing.
  await (await startEtcd()).stop();
  etcd = await startEtcdCluster();
  ending = new AbortController();
  seen = [];
}, 180_000);

afterEach(async () => {
  ending.abort();
  await store.close();
  await etcd.stop();
});

test('a change arrives within 3 s when the watched member is frozen, whoever leads', async () => {
  const leader = etcd.leader();
  const follower = (leader + 1) % 3;
  store = await open(follower);
  for (let watchers = 0; watchers < 3; watchers++) watch();
  await written(leader, 'before');

  etcd.freeze(follower);
  for (const ms of await written(leader, 'follower frozen')) expect(ms).toBeLessThan(WITHIN_MS);

  etcd.thaw(follower);
  await sleep(1000);
  etcd.freeze(leader);
  await sleep(3000);
  const other = 3 - leader - follower;
  for (const ms of await written(other, 'leader frozen')) expect(ms).toBeLessThan(WITHIN_MS);
}, 60_000);

test('requests and leases that fail on a frozen member take nobody to another one that is frozen or away', async () => {
  const leader = etcd.leader();
  const follower = (leader + 1) % 3;
  store = await open(leader);
  const lease = await store.lease(11);
  for (let watchers = 0; watchers < 4; watchers++) watch();
  await written(follower, 'before');

  etcd.freeze(leader);
  const since = performance.now();
  const put = async (key: string): Promise<number> => {
    const writes = [{ put: key, value: 'x', lease: lease.id }];
    for (;;) {
      const done = await store.commit({ compare: [], writes }).catch(() => null);
      if (done !== null) return performance.now() - since;
    }
  };
  const renewed = async (): Promise<number> => {
    for (;;) {
      const done = await lease.keepAlive().then(
        () => true,
        () => false,
      );
      if (done) return performance.now() - since;
    }
  };
  const times = await Promise.all([put('/r/1'), put('/r/2'), put('/r/3'), renewed()]);
  // One request timeout, an election and one more try.
  for (const ms of times) expect(ms).toBeLessThan(8000);
  for (const ms of await written(follower, 'after')) expect(ms).toBeLessThan(WITHIN_MS);
}, 60_000);
