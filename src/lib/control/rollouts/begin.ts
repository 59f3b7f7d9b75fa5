import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError, EXIT } from '../../error.ts';
import type { RolloutEntry } from '../../registry/index.ts';
import {
  abort,
  type Budget,
  holderOf,
  overlap,
  type Rollout,
  type RolloutItem,
  type RolloutKind,
} from '../../rollout/index.ts';
import type { Session } from '../session.ts';

/** What a rollout is to do, before it has a number. */
export interface Draft {
  readonly kind: RolloutKind;
  readonly items: readonly RolloutItem[];
  /** Text of the files that it needs to go on and back, by hash. */
  readonly files: ReadonlyMap<string, string>;
  /** Only machines. */
  readonly more?: Pick<Rollout, 'windows' | 'rebootIfNeeded'>;
  /** Only drains: the machine where each unit would go now. One that is not here is stopped. */
  readonly goesWhere?: ReadonlyMap<string, string>;
}

export interface BeginOptions {
  readonly budget: Budget;
  readonly who: string;
  /** Wait while another rollout touches the same units or machines; otherwise be refused. */
  readonly waitForOthers: boolean;
}

/** How often it is begun again because somebody else began another one at the same moment. */
const ATTEMPTS = 20;

/**
 * Records a new rollout. `draft` runs again on the newest state after each wait. A halted one that touches the same
 * units ends with it: what it left is what this one begins with.
 * @returns null when the draft says that there is nothing to do.
 * @throws `rollout-conflict` (exit 6) naming the rollout that holds a unit, and who began it.
 */
export async function begin(
  session: Session,
  draft: () => Promise<Draft | null>,
  options: BeginOptions,
): Promise<RolloutEntry | null> {
  const registry = await session.rollouts();
  for (let attempt = 0; attempt < ATTEMPTS; ) {
    const state = await registry.load();
    for (const { key, message } of state.problems) session.emit({ kind: 'problem', key, message });
    const what = await draft();
    if (what === null) return null;
    const { kind, items, files, more } = what;
    if (await mustWait(session, { id: '', kind, items }, state.rollouts, options.waitForOthers)) continue;

    const halted = state.rollouts.filter(
      ({ rollout }) => rollout.state === 'halted' && overlap(rollout, what) !== null,
    );
    const ended = halted.map((one) => ({
      ...one,
      rollout: abort(one.rollout, 'another rollout changed its units'),
    }));
    const rollout: Omit<Rollout, 'id'> = {
      v: 1,
      kind,
      state: 'planned',
      back: false,
      budget: options.budget,
      ...more,
      items,
      batch: 0,
      canaryPassed: false,
      who: options.who,
      began: new Date().toISOString(),
    };
    const entry = await registry.begin(state, rollout, files, ended);
    if (entry !== null) return entry;
    attempt++;
  }
  throw new ClusterError('changed-meanwhile', 'somebody else keeps beginning rollouts', {
    hint: 'try again in a moment',
    exit: EXIT.conflict,
  });
}

/** Whether another rollout holds something of this one, after a while of waiting for it. @throws `rollout-conflict`. */
async function mustWait(
  session: Session,
  wanted: Pick<Rollout, 'id' | 'kind' | 'items'>,
  known: readonly RolloutEntry[],
  wait: boolean,
): Promise<boolean> {
  const holder = holderOf(
    wanted,
    known.map(({ rollout }) => rollout),
  );
  if (holder === null) return false;
  if (!wait) throw conflict(holder);
  const { rollout, what } = holder;
  const message = `waiting for rollout ${rollout.id} of ${rollout.who} (${rollout.state}), which changes ${what}`;
  session.emit({ kind: 'waiting', message });
  const registry = await session.rollouts();
  for (;;) {
    const now = await registry.get(rollout.id);
    if (now === null || holderOf(wanted, [now.rollout]) === null) return true;
    await sleep(250);
  }
}

/** @throws `rollout-conflict` when a rollout that is to go on touches what another one holds. */
export function requireFree(rollout: Rollout, known: readonly RolloutEntry[]): void {
  const holder = holderOf(
    rollout,
    known.map((one) => one.rollout),
  );
  if (holder !== null) throw conflict(holder);
}

function conflict({ rollout, what }: NonNullable<ReturnType<typeof holderOf>>): ClusterError {
  const { id, who, state } = rollout;
  return new ClusterError(
    'rollout-conflict',
    `${what} belongs to rollout ${id} of ${who} (${state}); nothing was changed`,
    {
      hint: `--wait-for-others waits for it; cluster rollout show ${id}, or cluster rollout abort ${id} ends it`,
      exit: EXIT.conflict,
    },
  );
}
