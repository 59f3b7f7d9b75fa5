import type { MachineRecord } from '../../registry/index.ts';
import {
  isInFlight,
  type Rollout,
  type RolloutObservation,
  type RolloutStep,
  type Seen,
} from '../../rollout/index.ts';
import type { Ended } from './ended.ts';
import type { Looks } from './look.ts';

/** What one driver knows besides what is recorded: since when, what is under way, how steps ended. */
export class Memory {
  readonly #since = new Map<number, Since>();
  readonly #good = new Map<number, number>();
  readonly #bad = new Map<number, number>();
  /** By item: the direction and batch of the step that is under way. */
  readonly #busy = new Map<number, string>();
  readonly #ended = new Map<number, { readonly step: string; readonly how: Ended }>();
  #idleSince: number | null = null;

  begin(rollout: Rollout, { item }: RolloutStep): void {
    this.#busy.set(item, stepKey(rollout));
    this.#ended.delete(item);
  }

  /** A step has ended; null = nobody knows how, so that it is taken again. */
  end({ item }: RolloutStep, how: Ended | null): void {
    const step = this.#busy.get(item);
    this.#busy.delete(item);
    if (how !== null && step !== undefined) this.#ended.set(item, { step, how });
  }

  get isBusy(): boolean {
    return this.#busy.size > 0;
  }

  /** How the step of an item failed, with the lines that its unit wrote. */
  failure(item: number): (Ended & { readonly ok: false }) | undefined {
    const how = this.#ended.get(item)?.how;
    return how?.ok === false ? how : undefined;
  }

  /** How long an item has been in the state that it had before this moment, in milliseconds. */
  lasted(item: number, now: number): number {
    const since = this.#since.get(item);
    if (since === undefined) return 0;
    // It came into its state just now: how long it was in the one before.
    return now - (since.at === now ? since.before : since.at);
  }

  /** What steps are under way and have ended now: take it before a look, so that a look is never older than its steps. */
  snapshot(): Pick<Snapshot, 'busy' | 'ended'> {
    return { busy: new Map(this.#busy), ended: new Map(this.#ended) };
  }

  /** The items are in these states from now on, where they were in others before. */
  note(rollout: Rollout, now: number): void {
    for (const [at, item] of rollout.items.entries()) {
      const state = `${item.state} ${rollout.back}`;
      const since = this.#since.get(at);
      if (since?.state === state) continue;
      // Several states at one moment count from the first of them.
      const before = since === undefined ? now : since.at === now ? since.before : since.at;
      this.#since.set(at, { state, at: now, before });
    }
  }

  observation(rollout: Rollout, looks: Looks, { busy, ended }: Snapshot, now: number): RolloutObservation {
    this.note(rollout, now);
    const items = rollout.items.map((_, at): Seen => {
      const { wanted, health, run, gone, servers, well, locks } = looks.items[at]!;
      const isGood = health.verdict === 'good';
      const [kept, over] = isGood ? [this.#good, this.#bad] : [this.#bad, this.#good];
      over.delete(at);
      if (!kept.has(at)) kept.set(at, now);
      const last = ended.get(at);
      const how = last?.step === stepKey(rollout) ? last.how : undefined;
      return {
        wanted,
        health,
        run,
        ...(gone !== undefined && { gone }),
        announced: servers.length > 0,
        busy: busy.has(at),
        ended: how?.ok === true,
        failure: how?.ok === false ? how.why : undefined,
        result: how?.result,
        well,
        locks,
        since: this.#since.get(at)!.at,
        goodSince: this.#good.get(at) ?? null,
        badSince: this.#bad.get(at) ?? null,
      };
    });
    if (rollout.items.some(isInFlight) || busy.size > 0) this.#idleSince = null;
    else this.#idleSince ??= now;
    const { othersDown, guards, locks } = looks;
    return {
      items,
      othersDown,
      idleSince: this.#idleSince,
      ...(guards !== undefined && { guards }),
      ...(locks !== undefined && { locks: new Map([...locks].map(([name, { lock }]) => [name, lock])) }),
    };
  }
}

/** Since when an item is in a state, and since when it was in the one before. */
interface Since {
  readonly state: string;
  readonly at: number;
  readonly before: number;
}

interface Snapshot {
  readonly busy: ReadonlyMap<number, string>;
  readonly ended: ReadonlyMap<number, { readonly step: string; readonly how: Ended }>;
}

const stepKey = ({ back, batch }: Rollout): string => `${back} ${batch}`;

/** The machine of an item where it runs with the right file already. */
export function runsAlready(looks: Looks, { item, version }: RolloutStep): MachineRecord | null {
  const { machine, installed, run } = looks.items[item]!;
  return installed === version?.hash && run !== undefined ? machine : null;
}
