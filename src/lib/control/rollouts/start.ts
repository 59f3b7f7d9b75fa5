import { ClusterError, EXIT } from '../../error.ts';
import { batches, DRAIN_MS, nameItem, type Rollout, type RolloutObservation } from '../../rollout/index.ts';
import type { Session } from '../session.ts';
import { start } from '../units/start.ts';
import type { VerbOptions } from '../units/verb.ts';
import { type BeginOptions, begin, type Draft } from './begin.ts';
import { type DriveOptions, drive } from './drive.ts';
import { draftOfFiles } from './files.ts';
import { look } from './look.ts';
import { Memory } from './memory.ts';
import { reportState, requireGoodEnd } from './report.ts';
import { mattersTo, readServers } from './servers.ts';

export interface RollOptions extends BeginOptions, DriveOptions {
  /** Something was asked for that only a rollout can do. */
  readonly always: boolean;
}

/** What a rollout would do, in order. */
export interface RolloutPlan {
  readonly kind: Rollout['kind'];
  readonly batches: readonly (readonly PlannedItem[])[];
  /** What a person should know before it begins. */
  readonly notes: readonly string[];
}

export interface PlannedItem {
  readonly unit: string;
  /** Machine id; null = it has none yet. */
  readonly machine: string | null;
  readonly from: string | null;
  readonly to: string;
  /** Only drains: id of the machine where the unit goes; null = it is stopped there and goes nowhere. */
  readonly goesTo?: string | null;
}

/**
 * `start --replace`: exchanges the files of units that run more than once in batches, each watched. What concerns no
 * more than one running unit is done at once, as `start` always did, for the named units alone.
 */
export async function startRolling(
  session: Session,
  args: readonly string[],
  options: RollOptions & VerbOptions,
): Promise<void> {
  const first = await draftOfFiles(session, await session.state(), args);
  if (!first.isShared && !options.always)
    return await start(session, args, 'launched', { ...options, differing: 'replace' });
  if (!options.block)
    throw new ClusterError('usage', 'a rollout waits for each batch: --no-block does not go with it', {
      hint: '--all-at-once exchanges all instances at the same time; nothing was changed',
      exit: EXIT.usage,
    });
  for (const event of first.events) session.emit(event);
  await roll(session, async () => draftOfFiles(session, await (await session.registry()).load(), args), {
    ...options,
    sources: first.sources,
  });
}

/** The batches of what `startRolling` would do. */
export async function planFiles(
  session: Session,
  args: readonly string[],
  options: BeginOptions,
): Promise<RolloutPlan> {
  return await planRollout(session, await draftOfFiles(session, await session.state(), args), options);
}

/** Begins a rollout and drives it to its end. @throws what its end means, see `requireGoodEnd`. */
export async function roll(
  session: Session,
  draft: () => Promise<Draft | null>,
  options: BeginOptions & DriveOptions,
): Promise<void> {
  const entry = await begin(session, draft, options);
  if (entry === null) return;
  reportState(session, entry.rollout, 0);
  requireGoodEnd(await drive(session, entry.rollout.id, options), 'forward');
}

/** The batches of a rollout that is not begun. */
export async function planRollout(
  session: Session,
  draft: Draft,
  { budget }: BeginOptions,
): Promise<RolloutPlan> {
  const { kind, items, files, goesWhere } = draft;
  const rollout: Rollout = { ...EMPTY, kind, budget, items };
  const state = await session.state();
  const servers = (await mattersTo(session, state, rollout, files)) ? await readServers(session) : null;
  const looks = await look(session, state, rollout, { servers, files });
  const observation: RolloutObservation = new Memory().observation(
    rollout,
    looks,
    { busy: new Map(), ended: new Map() },
    0,
  );
  const planned = batches(rollout, observation).map((batch) =>
    batch.map((at): PlannedItem => {
      const { unit, from, to } = items[at]!;
      const machine = looks.items[at]!.machine?.id ?? null;
      const goesTo = goesWhere === undefined ? {} : { goesTo: goesWhere.get(unit) ?? null };
      return { unit, machine, from: from?.hash ?? null, to: to.hash, ...goesTo };
    }),
  );
  const notes: string[] = [];
  const silent = items.filter((_, at) => looks.items[at]!.health.verdict === 'unknown').map(nameItem);
  if (silent.length > 0)
    notes.push(`it would halt at once: the machines of ${silent.join(', ')} do not answer`);
  if (looks.othersDown.length > 0) notes.push(`down already, and counted: ${looks.othersDown.join(', ')}`);
  const leaving = looks.items.filter((one) => one.servers.some(({ stored }) => stored !== null)).length;
  if (leaving > 0 && servers !== null && servers.gateways.length > 0)
    notes.push(
      `${leaving} ${leaving === 1 ? 'unit leaves' : 'units leave'} the gateways before ${leaving === 1 ? 'it stops' : 'they stop'}; requests get up to ${(budget.drainMs ?? DRAIN_MS) / 1000} s to end`,
    );
  if (kind === 'file')
    notes.push('each unit is stopped before its new file starts: systemd runs one copy of a name');
  return { kind, batches: planned, notes };
}

const EMPTY: Omit<Rollout, 'kind' | 'budget' | 'items'> = {
  v: 1,
  id: '',
  state: 'running',
  back: false,
  batch: 0,
  canaryPassed: false,
  who: '',
  began: '',
};
