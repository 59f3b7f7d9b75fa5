import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Range, Resync, Revision, Store, StoreEvent } from '../../../src/lib/store/port.ts';

export interface Opened {
  readonly store: Store;
  /** The same data through a connection of its own. */
  another(): Promise<Store>;
  /** Arguments by which test/contract/writer.ts opens it in a process of its own. */
  readonly remote: readonly [kind: string, where: string];
  /** The server goes away without a word and comes back. */
  restart?(): Promise<void>;
  /** Forgets the history before the revision. */
  compact?(revision: Revision): Promise<void>;
  close(): Promise<void>;
}

/** Starts another Node process on the same store and waits for its end. */
export async function runWriter(remote: readonly string[], name: string, count: number): Promise<void> {
  const args = [
    '--import',
    'tsx',
    new URL('writer.ts', import.meta.url).pathname,
    ...remote,
    name,
    String(count),
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (part) => {
    complaint += part;
  });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  if (code !== 0) throw new Error(`writer ${name} ended with ${code}: ${complaint}`);
}

interface Watching {
  readonly events: (StoreEvent | Resync)[];
  readonly failure: () => unknown;
  stop(): Promise<void>;
}

function watching(store: Store, prefix: string, after: Revision): Watching {
  const abort = new AbortController();
  const events: (StoreEvent | Resync)[] = [];
  let failure: unknown;
  const done = (async () => {
    for await (const event of store.watch(prefix, after, abort.signal)) events.push(event);
  })().catch((error) => {
    failure = error;
  });
  return {
    events,
    failure: () => failure,
    stop: async () => {
      abort.abort();
      await done;
    },
  };
}

const put = (store: Store, key: string, value = key): Promise<Revision | null> =>
  store.commit({ compare: [], writes: [{ put: key, value }] });
const keys = (range: Range): string[] => range.entries.map((entry) => entry.key);
const name = (event: StoreEvent | Resync): string => {
  if (event.type === 'resync') return 'resync';
  return event.type === 'put' ? `${event.entry.key}=${event.entry.value}` : `-${event.key}`;
};
const soon = { timeout: 10_000, interval: 20 };

/** What every driver of the Store port must do. */
export function storeContract(driver: string, open: () => Promise<Opened>): void {
  describe(driver, () => {
    let opened: Opened;
    let store: Store;
    beforeAll(async () => {
      opened = await open();
      store = opened.store;
    });
    afterAll(() => opened?.close());

    test('several ranges are read at one revision, in the order in which they are named', async () => {
      for (let n = 0; n < 25; n++) {
        const writes = Array.from({ length: 100 }, (_, at) => ({ put: `r/b/${n}-${at}`, value: 'x' }));
        await store.commit({ compare: [], writes });
      }
      await store.commit({
        compare: [],
        writes: ['r/a/1', 'r/c', 'r/d/1'].map((put) => ({ put, value: '' })),
      });
      const read = await store.ranges(['r/d/', 'r/b/', 'r/none/', 'r/a/']);
      expect(keys(read)).toHaveLength(2502);
      expect([keys(read)[0], keys(read)[1], keys(read).at(-1)]).toEqual(['r/d/1', 'r/b/0-0', 'r/a/1']);
      expect(read.revision).toBe((await store.range('r/')).revision);
      expect(await store.ranges([])).toMatchObject({ entries: [] });

      // Both sides of each transaction, or neither.
      const pairs = (async () => {
        for (let n = 0; n < 60; n++)
          await store.commit({
            compare: [],
            writes: ['r/x/', 'r/y/'].map((folder) => ({ put: `${folder}1`, value: String(n) })),
          });
      })();
      for (let n = 0; n < 60; n++) {
        const values = (await store.ranges(['r/x/', 'r/y/'])).entries.map(({ value }) => value);
        expect(new Set(values).size).toBeLessThanOrEqual(1);
      }
      await pairs;
    });

    test('a range is ordered bytewise and complete', async () => {
      for (const key of ['o/b', 'o/a', 'o/é', 'o/B', 'o/10', 'o/9', 'o/😀']) await put(store, key);
      expect(keys(await store.range('o/'))).toEqual(['o/10', 'o/9', 'o/B', 'o/a', 'o/b', 'o/é', 'o/😀']);
    });

    test('a prefix takes its keys and no neighbours', async () => {
      for (const key of ['a/1', 'ab', 'a', 'a0', 'server/1', 'server/10', 'server/2']) await put(store, key);
      expect(keys(await store.range('a/'))).toEqual(['a/1']);
      expect(keys(await store.range('server/1'))).toEqual(['server/1', 'server/10']);
      expect(keys(await store.range('nothing/'))).toEqual([]);
      expect(keys(await store.range(''))).toEqual(expect.arrayContaining(['a', 'a/1', 'ab', 'server/2']));
    });

    test('an entry carries the revision of its last write', async () => {
      const first = await put(store, 'rev/x', '1');
      const second = await put(store, 'rev/x', '2');
      await put(store, 'rev/y');
      expect(second).toBeGreaterThan(first ?? 0);
      expect(await store.get('rev/x')).toEqual({ key: 'rev/x', value: '2', revision: second, lease: null });
      expect(await store.get('rev/none')).toBeNull();
      expect((await store.range('rev/')).revision).toBeGreaterThan(second ?? 0);
    });

    test('compare-and-set: one winner, the loser writes nothing', async () => {
      const start = await put(store, 'cas/x', '0');
      const attempt = (value: string): Promise<Revision | null> =>
        store.commit({
          compare: [{ key: 'cas/x', revision: start ?? 0 }],
          writes: [
            { put: 'cas/x', value },
            { put: `cas/by-${value}`, value },
          ],
        });
      const results = await Promise.all([attempt('a'), attempt('b'), attempt('c')]);
      expect(results.filter((result) => result !== null)).toHaveLength(1);
      expect(keys(await store.range('cas/by-'))).toHaveLength(1);
    });

    test('revision 0 means absent', async () => {
      const create = { compare: [{ key: 'zero/x', revision: 0 }], writes: [{ put: 'zero/x', value: '1' }] };
      expect(await store.commit(create)).not.toBeNull();
      expect(await store.commit(create)).toBeNull();
      await store.commit({ compare: [], writes: [{ remove: 'zero/x' }] });
      expect(await store.commit(create)).not.toBeNull();
    });

    test('removing what is not there changes nothing', async () => {
      const before = (await store.range('')).revision;
      expect(await store.commit({ compare: [], writes: [{ remove: 'ghost' }] })).toBe(before);
    });

    test('a transaction etcd would refuse is refused before', async () => {
      const writes = Array.from({ length: 129 }, (_, i) => ({ put: `big/${i}`, value: '' }));
      await expect(store.commit({ compare: [], writes })).rejects.toMatchObject({ code: 'store-too-large' });
      await expect(put(store, 'big/x', 'x'.repeat(2 ** 21))).rejects.toMatchObject({
        code: 'store-too-large',
      });
    });

    test('keys go with their lease: kept alive, expired, revoked', async () => {
      const from = (await store.range('lease/')).revision;
      const watch = watching(store, 'lease/', from);
      const kept = await store.lease(1);
      const left = await store.lease(1);
      const revoked = await store.lease(60);
      for (const [key, lease] of [
        ['kept', kept],
        ['left', left],
        ['revoked', revoked],
      ] as const) {
        await store.commit({ compare: [], writes: [{ put: `lease/${key}`, value: '', lease: lease.id }] });
      }
      expect((await store.get('lease/kept'))?.lease).toBe(kept.id);
      await revoked.revoke();
      expect(await store.get('lease/revoked')).toBeNull();
      const beat = setInterval(() => void kept.keepAlive().catch(() => undefined), 200);
      await expect.poll(() => watch.events.map(name), soon).toContain('-lease/left');
      expect(await store.get('lease/left')).toBeNull();
      expect(await store.get('lease/kept')).not.toBeNull();
      clearInterval(beat);
      await expect.poll(() => store.get('lease/kept'), soon).toBeNull();
      await expect(left.keepAlive()).rejects.toMatchObject({ code: 'lease-expired', exit: 5 });
      const late = store.commit({ compare: [], writes: [{ put: 'lease/late', value: '', lease: left.id }] });
      await expect(late).rejects.toMatchObject({ code: 'lease-expired' });
      await expect.poll(() => watch.events.length, soon).toBe(6);
      await watch.stop();
    });

    test('a watch gives what happened after its revision, once and in order', async () => {
      await put(store, 'w/before');
      const from = (await store.range('w/')).revision;
      await put(store, 'w/1');
      const watch = watching(store, 'w/', from);
      await put(store, 'wx');
      await store.commit({ compare: [], writes: [{ put: 'w/2', value: 'x' }, { remove: 'w/1' }] });
      await put(store, 'w/3');
      await expect.poll(() => watch.events.length, soon).toBe(4);
      expect(watch.events.map(name)).toEqual(['w/1=w/1', 'w/2=x', '-w/1', 'w/3=w/3']);
      await watch.stop();
      await put(store, 'w/4');
      expect(watch.events).toHaveLength(4);
    });

    test('several processes at once: no write is lost, no event lost or doubled', async () => {
      const count = 60;
      const watch = watching(store, 'race/', (await store.range('race/')).revision);
      await Promise.all(['p', 'q', 'r'].map((writer) => runWriter(opened.remote, writer, count)));
      expect((await store.get('race/counter'))?.value).toBe(String(3 * count));
      await expect.poll(() => watch.events.length, soon).toBe(6 * count);
      const counted = watch.events.flatMap((event) =>
        event.type === 'put' && event.entry.key === 'race/counter' ? [Number(event.entry.value)] : [],
      );
      expect(counted).toEqual(Array.from({ length: 3 * count }, (_, i) => i + 1));
      await watch.stop();
    });

    test('1 MiB values', async () => {
      const value = 'ü'.repeat(2 ** 19);
      await put(store, 'large/x', value);
      const second = await opened.another();
      expect((await second.get('large/x'))?.value).toBe(value);
      for (let i = 0; i < 8; i++) await put(store, `large/${i}`, value);
      expect((await second.range('large/')).entries).toHaveLength(9);
      await second.close();
    });

    test('10,000 keys', async () => {
      for (let i = 0; i < 10_000; i += 100) {
        const writes = Array.from({ length: 100 }, (_, j) => ({
          put: `many/${100_000 + i + j}`,
          value: 'v'.repeat(500),
        }));
        await store.commit({ compare: [], writes });
      }
      const started = performance.now();
      const { entries } = await store.range('many/');
      console.log(`${driver}: range over 10,000 keys ${Math.round(performance.now() - started)} ms`);
      expect(entries).toHaveLength(10_000);
      expect(entries[9_999]?.key).toBe('many/109999');
    });

    test('a watch whose history is gone gets the whole state, then goes on', async () => {
      if (!opened.compact) return;
      const from = (await store.range('')).revision;
      await put(store, 'c/1');
      await put(store, 'c/2');
      await store.commit({ compare: [], writes: [{ remove: 'c/1' }] });
      await opened.compact((await store.range('')).revision);
      const watch = watching(store, 'c/', from);
      await expect.poll(() => watch.events.length, soon).toBe(1);
      const first = watch.events[0];
      expect(first?.type === 'resync' && keys(first.range)).toEqual(['c/2']);
      await put(store, 'c/3');
      await expect.poll(() => watch.events.map(name), soon).toEqual(['resync', 'c/3=c/3']);
      await watch.stop();
    });

    test('the server goes away and comes back: nothing lost, nothing doubled', async () => {
      if (!opened.restart) return;
      const watch = watching(store, 'back/', (await store.range('')).revision);
      await put(store, 'back/1');
      await expect.poll(() => watch.events.length, soon).toBe(1);
      await opened.restart();
      const other = await opened.another();
      await put(other, 'back/2');
      await expect.poll(() => watch.events.map(name), soon).toEqual(['back/1=back/1', 'back/2=back/2']);
      expect(await store.get('back/2')).not.toBeNull();
      await sleep(200);
      expect(watch.events).toHaveLength(2);
      expect(watch.failure()).toBeUndefined();
      await watch.stop();
      await other.close();
    });

    test('a closed store ends its watches and refuses calls', async () => {
      const other = await opened.another();
      const watch = watching(other, 'end/', (await other.range('end/')).revision);
      await sleep(50);
      await other.close();
      await watch.stop();
      await expect(other.get('x')).rejects.toMatchObject({ exit: 5 });
      expect(await store.get('end/x')).toBeNull();
    });
  });
}
