import { ClusterError, ClusterErrors, EXIT } from '../../error.ts';
import { drain, type Leaver } from '../../plan/index.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import type { RolloutItem } from '../../rollout/index.ts';
import type { Session } from '../session.ts';
import { Reachability } from '../units/ask.ts';
import type { Draft } from './begin.ts';

export interface DrainWishes {
  /** Stop what no other machine can have. */
  readonly force: boolean;
  /** Global units leave too, after all others. */
  readonly globals: boolean;
}

/** What emptying a machine means as a rollout. */
export interface DrainDraft extends Draft {
  readonly kind: 'drain';
  /** What a person should know before it begins. */
  readonly notes: readonly string[];
}

/** How many machines an error explains before it only counts them. */
const EXPLAINED = 3;

/**
 * The units that have to leave a machine, in order, and where each can go of the machines that answer.
 * @throws what the machine said when it does not answer, and `drain-blocked` for each unit that can go nowhere, where
 * `force` does not let it be stopped.
 */
export async function draftOfDrain(
  session: Session,
  state: RegistryState,
  record: MachineRecord,
  { force, globals: withGlobals }: DrainWishes,
): Promise<DrainDraft> {
  const { id } = record;
  const reachability = new Reachability(session);
  await reachability.ask(state.machines.values(), state.identity);
  const silence = reachability.why(id);
  if (silence !== undefined) throw silence;

  const { leavers, globals } = drain(state, id, reachability);
  const stuck = leavers.filter(({ to }) => to === null);
  if (stuck.length > 0 && !force) throw new ClusterErrors(stuck.map((one) => blocked(one, state, record)));
  const itemOf = (unit: string, more: Partial<RolloutItem>): RolloutItem[] => {
    const known = state.units.get(unit);
    if (known === undefined) return [];
    const version = { hash: known.hash, desired: known.desired };
    return [{ unit, machine: id, from: version, to: version, state: 'waiting', ...more }];
  };
  const items = [
    ...leavers.flatMap(({ unit }) => itemOf(unit, force ? { mayStop: true } : {})),
    ...(withGlobals ? globals.flatMap((unit) => itemOf(unit, { global: true })) : []),
  ];
  const goesWhere = new Map(leavers.flatMap(({ unit, to }) => (to === null ? [] : [[unit, to] as const])));
  return { kind: 'drain', items, files: new Map(), goesWhere, notes: notesOf(leavers) };
}

function notesOf(leavers: readonly Leaver[]): string[] {
  const moves = leavers.some(({ to }) => to !== null);
  return [
    ...(moves ? ['a unit is stopped when it is healthy elsewhere: until then both copies run'] : []),
    ...leavers.flatMap(({ unit, with: leader }) => (leader ? [`${unit} goes together with ${leader}`] : [])),
    ...leavers.flatMap(({ unit, pushes }) =>
      pushes.map((other) => `${other} is stopped first, where ${unit} goes and replaces it`),
    ),
    ...leavers
      .filter(({ to }) => to === null)
      .map(({ unit, reasons }) => `${unit} is stopped until a machine can have it: ${whyOf(reasons)}`),
  ];
}

function blocked({ unit, reasons }: Leaver, state: RegistryState, from: MachineRecord): ClusterError {
  const named = reasons.map((one) => {
    const record = state.machines.get(one.machine);
    return { ...one, machine: record === undefined ? one.machine : legend(record) };
  });
  const away = reasons.some(({ rule }) => rule === 'unreachable');
  return new ClusterError('drain-blocked', `unit ${unit} cannot leave ${legend(from)}: ${whyOf(named)}`, {
    unit,
    hint: '--force stops what cannot go elsewhere; nothing was changed',
    exit: away ? EXIT.machine : EXIT.failed,
  });
}

const legend = ({ id, target }: MachineRecord): string => `${id.slice(0, 8)}.../${target.address}`;

function whyOf(reasons: Leaver['reasons']): string {
  if (reasons.length === 0) return 'there is no other machine';
  const texts = reasons
    .slice(0, EXPLAINED)
    .map(({ machine, rule, detail }) => `${machine} (${rule}: ${detail})`);
  const more = reasons.length - texts.length;
  return `${texts.join(', ')}${more > 0 ? ` and ${more} more machines` : ''}`;
}
