import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ClusterError, EXIT } from '../../../src/lib/error.ts';
import { LeaseHolder } from '../../../src/lib/keep/index.ts';
import type { Lease } from '../../../src/lib/store/port.ts';
import { outageOf } from './support.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Not a store: grants leases, and is away or forgets them when told so. */
class FakeLeases {
  readonly calls: string[] = [];
  away = false;
  /** Calls are never answered. */
  silent = false;
  #granted = 0;
  readonly #gone = new Set<string>();

  grant = async (ttl: number): Promise<Lease> => {
    await this.#call('grant');
    const id = String(++this.#granted);
    return {
      id,
      ttl,
      keepAlive: async () => {
        await this.#call(`renew ${id}`);
        if (this.#gone.has(id)) throw new ClusterError('lease-expired', `lease ${id} has expired`);
      },
      revoke: async () => this.#call(`revoke ${id}`),
    };
  };

  forget(id: string): void {
    this.#gone.add(id);
  }

  async #call(name: string): Promise<void> {
    this.calls.push(name);
    if (this.silent) await new Promise(() => undefined);
    if (this.away)
      throw new ClusterError('store-unreachable', 'etcd cannot be reached', { exit: EXIT.store });
  }
}

function held() {
  const leases = new FakeLeases();
  const { outage, lines } = outageOf();
  const news: string[] = [];
  const holder = new LeaseHolder({
    grant: leases.grant,
    ttlSeconds: 10,
    refreshSeconds: 4,
    granted: (lease) => news.push(`granted ${lease}`),
    lost: () => news.push('lost'),
    outage,
  });
  const over = new AbortController();
  const running = holder.run(over.signal);
  const end = async (): Promise<void> => {
    over.abort();
    await running;
  };
  return { leases, holder, news, lines, end };
}

test('granted once, renewed at intervals, and once more at the end', async () => {
  const { leases, news, lines, end } = held();
  await vi.advanceTimersByTimeAsync(9000);
  await end();
  expect(news).toEqual(['granted 1']);
  expect(leases.calls).toEqual(['grant', 'renew 1', 'renew 1', 'renew 1']);
  expect(lines).toEqual([]);
});

test('a short outage keeps the lease', async () => {
  const { leases, news, lines, end } = held();
  await vi.advanceTimersByTimeAsync(3900);
  leases.away = true;
  await vi.advanceTimersByTimeAsync(3000);
  leases.away = false;
  await vi.advanceTimersByTimeAsync(1000);
  expect(news).toEqual(['granted 1']);
  expect(lines).toEqual(['the store is away: etcd cannot be reached', 'the store is back']);
  await end();
});

test('a lease that could not be renewed for its whole ttl is lost at that moment, and another is granted later', async () => {
  const { leases, news, end } = held();
  await vi.advanceTimersByTimeAsync(4100);
  leases.away = true;
  await vi.advanceTimersByTimeAsync(9800);
  expect(news).toEqual(['granted 1']);
  await vi.advanceTimersByTimeAsync(200);
  expect(news).toEqual(['granted 1', 'lost']);
  leases.away = false;
  await vi.advanceTimersByTimeAsync(1000);
  expect(news).toEqual(['granted 1', 'lost', 'granted 2']);
  await end();
});

test('a store that does not answer at all does not delay the news of the loss', async () => {
  const { leases, news } = held();
  await vi.advanceTimersByTimeAsync(3900);
  leases.silent = true;
  await vi.advanceTimersByTimeAsync(6000);
  expect(news).toEqual(['granted 1']);
  await vi.advanceTimersByTimeAsync(200);
  expect(news).toEqual(['granted 1', 'lost']);
});

test('a lease that the store has forgotten is replaced; told of it, the holder looks at once', async () => {
  const { leases, holder, news, lines, end } = held();
  await vi.advanceTimersByTimeAsync(100);
  leases.forget('1');
  holder.checkNow();
  await vi.advanceTimersByTimeAsync(0);
  expect(news).toEqual(['granted 1', 'lost', 'granted 2']);
  expect(lines).toEqual([]);
  await end();
});

test('at the end a store that is away is not asked again, and revoking fails quietly', async () => {
  const { leases, holder, end } = held();
  await vi.advanceTimersByTimeAsync(100);
  leases.away = true;
  await vi.advanceTimersByTimeAsync(4000);
  leases.calls.splice(0);
  await end();
  expect(leases.calls).toEqual([]);
  await holder.revoke();
  expect(leases.calls).toEqual(['revoke 1']);
});
