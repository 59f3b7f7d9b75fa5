import { ClusterError, EXIT } from '../../error.ts';
import { decide } from '../../plan/index.ts';
import type { Assignment, Desired } from '../../plan/model.ts';
import type { RegistryState } from '../../registry/index.ts';
import type { Session } from '../session.ts';
import { type Scope, scopeOfUnits } from './scope.ts';
import type { Decided } from './write.ts';

/** What somebody else made of the units that a run was about, and where it matters. */
export interface Overtaking {
  readonly decided: Decided;
  readonly scope: Scope;
  readonly units: ReadonlySet<string>;
}

/**
 * Whether somebody else changed units in scope, or where they belong, since the decision; null when not. Placements are
 * taken as they are recorded: this decides nothing new.
 */
export async function lookAgain(
  session: Session,
  { decision, reachability, value, written }: Decided,
  scope: Scope,
): Promise<Overtaking | null> {
  const registry = await session.registry();
  if ((await registry.schedule()) === written?.schedule) return null;
  const state = await registry.load();
  const known = decide(state, {}, reachability);
  const now = {
    ...known,
    assignments: known.assignments.filter((one) => known.globals.has(one.unit) || isRecorded(state, one)),
  };

  const everything = [...scope.values()].some((one) => one.everything);
  const concerned = new Set([...scope.values()].flatMap(({ units }) => [...units]));
  const old = placesOf(decision.assignments);
  const fresh = placesOf(now.assignments);
  const units = new Set(
    [...old.keys(), ...fresh.keys()].filter(
      (unit) => (everything || concerned.has(unit)) && old.get(unit) !== fresh.get(unit),
    ),
  );
  const { identity, revisions } = state;
  const revision = { schedule: revisions.get('schedule') ?? 0, revisions, identity };
  const decided = { before: state, decision: now, reachability, identity, value, written: revision };
  if (units.size === 0) return null;
  return { decided, scope: scopeOfUnits(decision, now, units), units };
}

function isRecorded(state: RegistryState, { unit, machine }: Assignment): boolean {
  return state.units.get(unit)?.machine === machine;
}

/** Where each unit is to be and as what, as one text. */
function placesOf(assignments: readonly Assignment[]): Map<string, string> {
  const places = new Map<string, string>();
  for (const { unit, machine, desired, hash } of assignments)
    places.set(unit, `${places.get(unit) ?? ''}${machine} ${desired} ${hash}\n`);
  return places;
}

/** Says which units that this run was asked about are wanted otherwise now. @returns an error for each. */
export function reportOvertaken(
  session: Session,
  first: Decided,
  { decided, units }: Overtaking,
  { asked }: { readonly asked?: ReadonlySet<string> },
): ClusterError[] {
  const ours = (unit: string) => first.decision.changed.has(unit) || asked?.has(unit) === true;
  return [...units].filter(ours).flatMap((unit) => {
    const wanted: Desired | null = first.decision.units.get(unit)?.desired ?? null;
    const desired: Desired | null = decided.before.units.get(unit)?.desired ?? null;
    if (wanted === desired) return [];
    session.emit({ kind: 'overtaken', unit, desired });
    return [
      new ClusterError('changed-meanwhile', `somebody else changed unit ${unit} at the same moment`, {
        unit,
        exit: EXIT.conflict,
      }),
    ];
  });
}

/** Forgets what machines are rid of. */
export async function forgetClean(
  session: Session,
  { before, written }: Decided,
  clean: readonly string[],
): Promise<void> {
  const revisions = clean.flatMap((key): [string, number][] => {
    const path = `leaving/${key}`;
    const revision = written?.revisions.get(path) ?? before.revisions.get(path);
    return revision === undefined ? [] : [[key, revision]];
  });
  if (revisions.length > 0) await (await session.registry()).settle(new Map(revisions));
}
