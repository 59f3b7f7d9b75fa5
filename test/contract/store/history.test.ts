import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openEtcd } from '../../../src/lib/store/etcd.ts';
import type { Resync, Store, StoreEvent } from '../../../src/lib/store/port.ts';
import { freePort } from '../../support/port.ts';

/** An etcd whose data can be exchanged while it is down. */
let dir: string;
let port: number;
let child: ReturnType<typeof spawn> | undefined;
let store: Store;
let seen: (StoreEvent | Resync)[];
let over: AbortController;

const eventually = <Value>(check: () => Value | Promise<Value>, timeout = 5000) =>
  vi.waitFor(check, { timeout, interval: 20 });
const url = () => `http://127.0.0.1:${port}`;
const etcdctl = (...args: string[]) =>
  execFileSync('etcdctl', ['--endpoints', url(), ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ETCDCTL_API: '3' },
  });

function start(data: string): void {
  child = spawn(
    'etcd',
    [
      ...['--data-dir', join(dir, data), '--listen-client-urls', url(), '--advertise-client-urls', url()],
      ...['--listen-peer-urls', 'http://127.0.0.1:0', '--name', 'default'],
    ],
    { stdio: 'ignore' },
  );
}

async function stop(): Promise<void> {
  const gone = new Promise((resolve) => child?.once('exit', resolve));
  child?.kill('SIGKILL');
  await gone;
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cluster-history-'));
  port = await freePort();
  start('first');
  store = await openEtcd({ endpoints: [url()], timeoutMs: 3000 });
  await eventually(() => etcdctl('endpoint', 'health'));
  for (let n = 1; n <= 20; n++) await write(`/t/${n}`, 'first');
  seen = [];
  over = new AbortController();
});

afterEach(async () => {
  over.abort();
  await store.close();
  await stop();
  await rm(dir, { recursive: true, force: true });
});

const write = (put: string, value: string) => store.commit({ compare: [], writes: [{ put, value }] });

/** Watches from now on. */
async function follow(): Promise<void> {
  const { revision } = await store.range('/t/');
  void (async () => {
    for await (const event of store.watch('/t/', revision, over.signal)) seen.push(event);
  })();
}

const keys = (item: StoreEvent | Resync | undefined) =>
  item?.type === 'resync' ? item.range.entries.map(({ key, value }) => `${key}=${value}`) : null;

test.each([
  ['was idle', 0],
  ['had seen events', 3],
])('a wiped etcd is read anew by a watch that %s, and followed from there', async (_, events) => {
  await follow();
  for (let n = 0; n < events; n++) await write('/t/live', String(n));
  await eventually(() => expect(seen).toHaveLength(events));
  await stop();
  start('second');
  await eventually(() => write('/t/new', 'second'), 20_000);
  await eventually(() => expect(seen[events]?.type).toBe('resync'), 10_000);
  await eventually(() => {
    const all = seen
      .slice(events)
      .flatMap((item) => (item.type === 'put' ? [item.entry.key] : (keys(item) ?? [])));
    expect(all.join()).toContain('/t/new');
  });
  await write('/t/later', 'second');
  await eventually(() => expect(seen.at(-1)).toMatchObject({ type: 'put', entry: { key: '/t/later' } }));
});

test('a restored snapshot is read anew', async () => {
  etcdctl('snapshot', 'save', join(dir, 'snapshot'));
  await follow();
  for (let n = 0; n < 5; n++) await write('/t/lost', String(n));
  await eventually(() => expect(seen).toHaveLength(5));
  await stop();
  execFileSync(
    'etcdctl',
    ['snapshot', 'restore', join(dir, 'snapshot'), '--data-dir', join(dir, 'restored')],
    {
      env: { ...process.env, ETCDCTL_API: '3' },
      stdio: 'ignore',
    },
  );
  start('restored');
  await eventually(() => expect(seen[5]?.type).toBe('resync'), 20_000);
  expect(keys(seen[5])?.join()).not.toContain('/t/lost');
});

test('an etcd that only starts again goes on where it was: every event once', async () => {
  await follow();
  await write('/t/a', '1');
  await eventually(() => expect(seen).toHaveLength(1));
  await stop();
  start('first');
  await eventually(() => write('/t/b', '1'), 20_000);
  await eventually(() => expect(seen).toHaveLength(2));
  expect(seen[1]).toMatchObject({ type: 'put', entry: { key: '/t/b' } });
});
