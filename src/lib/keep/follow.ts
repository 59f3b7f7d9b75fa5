import { ClusterError, EXIT } from '../error.ts';
import { Backoff, pause } from './backoff.ts';
import type { Outage } from './outage.ts';

/** Something that can be read and then watched; the typed parts of the registry are. */
export interface Source<State> {
  load(): Promise<State>;
  /** The states that follow `from`, until the signal aborts. */
  watch(from: State, signal: AbortSignal): AsyncIterable<State>;
}

export interface FollowOptions<State> {
  /** Gets the first state and each that follows. What it throws ends `follow`. */
  readonly onState: (state: State) => void;
  readonly outage: Outage;
  /** The name of this part of the process in the outage. */
  readonly part: string;
  readonly backoff?: Backoff;
}

/**
 * Loads and watches a source until the signal aborts, and starts again whenever that fails or ends. While the source is
 * away the last state stands: `onState` is not called.
 */
export async function follow<State>(
  source: Source<State>,
  options: FollowOptions<State>,
  signal: AbortSignal,
): Promise<void> {
  const { backoff = new Backoff() } = options;
  while (!signal.aborted) {
    await once(source, { ...options, backoff }, signal);
    if (!signal.aborted) await pause(backoff.next(), signal);
  }
}

/** One load, and the watch that begins with it, until either fails or the watch ends. */
async function once<State>(
  source: Source<State>,
  { onState, outage, part, backoff }: FollowOptions<State> & { backoff: Backoff },
  signal: AbortSignal,
): Promise<void> {
  // Reading and watching fail each for themselves: a user who may read but not watch would seem to come and go.
  const watching = `${part} (watch)`;
  let state: State;
  try {
    state = await source.load();
  } catch (error) {
    if (!signal.aborted) outage.failed(part, error);
    return;
  }
  if (signal.aborted) return;
  outage.recovered(part);
  onState(state);

  const states = source.watch(state, signal)[Symbol.asyncIterator]();
  const steady = setTimeout(() => {
    backoff.reset();
    outage.recovered(watching);
  }, STEADY_MS);
  try {
    for (;;) {
      const next = await states.next().catch((error: unknown) => ({ error }));
      if (signal.aborted) return;
      if ('error' in next) {
        outage.failed(watching, next.error);
        return;
      }
      if (next.done === true) return;
      backoff.reset();
      outage.recovered(watching);
      onState(next.value);
    }
  } finally {
    clearTimeout(steady);
    await states.return?.().catch(() => undefined);
  }
}

/** A watch that has lasted for so long works, even when nothing happened. */
const STEADY_MS = 1000;

/**
 * Repeats an action that needs the store until it succeeds; null when the signal aborted first.
 * @throws what the action throws when it is not the store's failure.
 */
export async function untilDone<Value>(
  action: () => Promise<Value>,
  { outage, part }: { readonly outage: Outage; readonly part: string },
  signal: AbortSignal,
): Promise<Value | null> {
  const backoff = new Backoff();
  while (!signal.aborted) {
    try {
      const value = await action();
      outage.recovered(part);
      return value;
    } catch (error) {
      if (!(error instanceof ClusterError) || error.exit !== EXIT.store) throw error;
      if (signal.aborted) break;
      outage.failed(part, error);
      await pause(backoff.next(), signal);
    }
  }
  return null;
}
