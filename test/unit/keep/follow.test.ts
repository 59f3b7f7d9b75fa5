import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ClusterError, EXIT } from '../../../src/lib/error.ts';
import { Backoff, follow, type Source, untilDone } from '../../../src/lib/keep/index.ts';
import { outageOf } from './support.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const away = (): ClusterError =>
  new ClusterError('store-unreachable', 'etcd cannot be reached', { exit: EXIT.store });

/** What one load and its watch do: a value is delivered, an Error thrown; the watch then stays open, or ends. */
interface Round {
  readonly load: string | Error;
  readonly watch?: readonly (string | Error)[];
  readonly ends?: true;
}

/** Not a store: plays rounds from a list, then hangs. */
class FakeSource implements Source<string> {
  loads = 0;
  readonly #rounds: readonly Round[];

  constructor(rounds: readonly Round[]) {
    this.#rounds = rounds;
  }

  async load(): Promise<string> {
    const round = this.#rounds[this.loads++];
    if (round === undefined) return new Promise(() => undefined);
    if (round.load instanceof Error) throw round.load;
    return round.load;
  }

  async *watch(_from: string, signal: AbortSignal): AsyncIterable<string> {
    const round = this.#rounds[this.loads - 1];
    for (const next of round?.watch ?? []) {
      if (next instanceof Error) throw next;
      yield next;
    }
    if (round?.ends) return;
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }
}

function followed(rounds: readonly Round[]) {
  const { outage, lines } = outageOf();
  const source = new FakeSource(rounds);
  const states: string[] = [];
  const over = new AbortController();
  const backoff = new Backoff({ firstMs: 100, mostMs: 400, random: () => 0 });
  const onState = (state: string): void => {
    if (state === 'poison') throw new Error('a fault of ours');
    states.push(state);
  };
  const running = follow(source, { onState, outage, part: 'traffic', backoff }, over.signal);
  running.catch(() => undefined);
  const end = async (): Promise<void> => {
    over.abort();
    await running;
  };
  return { states, lines, source, running, end };
}

test('the first state, then each that follows', async () => {
  const { states, lines, end } = followed([{ load: 'a', watch: ['b', 'c'] }]);
  await vi.advanceTimersByTimeAsync(0);
  expect(states).toEqual(['a', 'b', 'c']);
  await end();
  expect(lines).toEqual([]);
});

test('away: reported once, tried again at growing intervals, and reported once when it is back', async () => {
  const { states, lines, source, end } = followed([
    { load: away() },
    { load: away() },
    { load: away() },
    { load: away() },
    { load: 'a' },
  ]);
  await vi.advanceTimersByTimeAsync(99);
  expect(source.loads).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(source.loads).toBe(2);
  await vi.advanceTimersByTimeAsync(200 + 400);
  expect(source.loads).toBe(4);
  expect(lines).toEqual(['the store is away: etcd cannot be reached']);
  await vi.advanceTimersByTimeAsync(400);
  expect(states).toEqual(['a']);
  expect(lines).toEqual(['the store is away: etcd cannot be reached', 'the store is back']);
  await end();
});

test('a watch that breaks begins again with a load; it counts as well again when it has lasted', async () => {
  const { states, lines, end } = followed([{ load: 'a', watch: ['b', away()] }, { load: 'c' }]);
  await vi.advanceTimersByTimeAsync(100);
  expect(states).toEqual(['a', 'b', 'c']);
  expect(lines).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1000);
  expect(lines).toEqual(['the store is away: etcd cannot be reached', 'the store is back']);
  await end();
});

test('a source that can be read but not watched is one outage, not one after another', async () => {
  const denied = new ClusterError('store-auth', 'etcd does not permit this', { exit: EXIT.store });
  const { lines, source, end } = followed(Array.from({ length: 20 }, () => ({ load: 'a', watch: [denied] })));
  await vi.advanceTimersByTimeAsync(3000);
  // 0, 100, 300, then every 400 ms.
  expect(source.loads).toBe(9);
  expect(lines).toEqual(['the store is away: etcd does not permit this']);
  await end();
});

test('a watch that ends without a reason is begun again, and is not an outage', async () => {
  const { states, lines, end } = followed([{ load: 'a', watch: ['b'], ends: true }, { load: 'c' }]);
  await vi.advanceTimersByTimeAsync(100);
  expect(states).toEqual(['a', 'b', 'c']);
  await end();
  expect(lines).toEqual([]);
});

test('a fault in the reader of states is thrown and not taken for an outage', async () => {
  const { lines, running } = followed([{ load: 'a', watch: ['poison'] }]);
  await expect(running).rejects.toThrow('a fault of ours');
  expect(lines).toEqual([]);
});

test('it ends with its signal, also while it waits', async () => {
  const { end, source } = followed([{ load: away() }]);
  await vi.advanceTimersByTimeAsync(50);
  await end();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(source.loads).toBe(1);
});

test('an action is repeated for as long as the store is away, and for nothing else', async () => {
  const { outage, lines } = outageOf();
  const answers: (string | Error)[] = [away(), away(), 'value'];
  const action = async (): Promise<string> => {
    const next = answers.shift() ?? new Error('asked too often');
    if (next instanceof Error) throw next;
    return next;
  };
  const never = new AbortController().signal;
  const value = untilDone(action, { outage, part: 'address' }, never);
  await vi.advanceTimersByTimeAsync(1000);
  expect(await value).toBe('value');
  expect(lines).toEqual(['the store is away: etcd cannot be reached', 'the store is back']);
  await expect(untilDone(action, { outage, part: 'address' }, never)).rejects.toThrow('asked too often');
  expect(await untilDone(action, { outage, part: 'address' }, AbortSignal.abort())).toBeNull();
});
