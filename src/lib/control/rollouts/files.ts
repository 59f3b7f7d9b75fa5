import { ClusterErrors } from '../../error.ts';
import { type Decision, decide } from '../../plan/index.ts';
import type { Intent } from '../../plan/model.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import type { RolloutItem, Version } from '../../rollout/index.ts';
import { parseUnitName } from '../../unit/index.ts';
import type { Event } from '../event.ts';
import { reportRefused } from '../report.ts';
import type { Session } from '../session.ts';
import { Reachability } from '../units/ask.ts';
import { intendStart } from '../units/start.ts';
import type { Draft } from './begin.ts';
import { wantedOf } from './look.ts';

/** What `start --replace` with these arguments means as a rollout. */
export interface FilesDraft extends Draft {
  readonly kind: 'file';
  /** What a person should know about the files. */
  readonly events: readonly Event[];
  /** More than one instance runs of what is changed, so that exchanging all at once would be an outage. */
  readonly isShared: boolean;
  /** Paths of the local files, by hash. */
  readonly sources: ReadonlyMap<string, string>;
}

/**
 * The units that get another file, each with what it has now. A named instance is changed alone: others of its template
 * keep theirs.
 * @throws what `start` throws, and `unplaceable` where a new file could not be placed: before anything is changed.
 */
export async function draftOfFiles(
  session: Session,
  state: RegistryState,
  args: readonly string[],
): Promise<FilesDraft> {
  const { intent, value, sources } = await intendStart(
    session,
    state,
    new Reachability(session),
    args,
    'launched',
    {
      differing: 'replace',
    },
  );
  return draftOfIntent(session, state, intent, value.events, sources);
}

/** The same of units and files that were found otherwise. @throws `unplaceable`. */
export function draftOfIntent(
  session: Session,
  state: RegistryState,
  intent: Intent<MachineRecord>,
  events: readonly Event[],
  sources: ReadonlyMap<string, string> = new Map(),
): FilesDraft {
  const wanted = new Map(intent.units);
  const instances = [...wanted.keys()].filter((unit) => !parseUnitName(unit).isTemplate);
  addTemplates(state, wanted, instances);

  const decision = decide(state, { ...intent, units: wanted });
  const refusals = decision.result.refusals.filter(({ unit }) => wanted.has(unit));
  if (refusals.length > 0)
    throw new ClusterErrors(
      refusals.map((one) => reportRefused(session, one)),
      true,
    );

  const items = [...wanted].flatMap(([unit, to]): RolloutItem[] => {
    if (to === null || to === undefined) return [];
    const version: Version = { hash: to.hash, desired: to.desired };
    // A global unit is as many items as it has machines now; others get it with the last of them.
    const machines = decision.globals.has(unit) ? placesOf(state, unit, decision) : [];
    return (machines.length === 0 ? [null] : machines).map((machine) => {
      const from = wantedOf(state, { unit, machine });
      return { unit, machine, from, to: version, state: 'waiting' };
    });
  });
  const needed = new Set(items.flatMap(({ from, to }) => [from?.hash ?? to.hash, to.hash]));
  const files = new Map(
    [...needed].map((hash) => [hash, intent.files?.get(hash) ?? state.files.get(hash) ?? ''] as const),
  );
  return { kind: 'file', items, files, events, isShared: isShared(state, items), sources };
}

/** The machines that have a global unit, or will have one that is new or did not run. */
function placesOf(state: RegistryState, unit: string, after: Decision<MachineRecord>): string[] {
  const of = ({ assignments }: Pick<Decision, 'assignments'>): string[] =>
    assignments.filter((one) => one.unit === unit).map(({ machine }) => machine);
  const before = of(decide(state));
  return before.length > 0 ? before : of(after);
}

/** A template whose instances all get one new file gets it too, after them: so do instances that come later. */
function addTemplates(
  state: RegistryState,
  wanted: Map<string, Version | null>,
  instances: readonly string[],
): void {
  const byTemplate = new Map<string, Set<string>>();
  for (const unit of instances) {
    const { template } = parseUnitName(unit);
    const hash = wanted.get(unit)?.hash;
    if (template === null || hash === undefined || !state.units.has(template) || wanted.has(template))
      continue;
    byTemplate.set(template, (byTemplate.get(template) ?? new Set()).add(hash));
  }
  for (const [template, hashes] of byTemplate) {
    const [hash] = hashes;
    const rest = [...state.units.keys()].filter(
      (unit) => unit !== template && parseUnitName(unit).template === template && !wanted.has(unit),
    );
    const known = state.units.get(template)!;
    if (hash === undefined || hashes.size > 1 || rest.length > 0 || known.hash === hash) continue;
    wanted.set(template, { hash, desired: known.desired });
  }
}

/** Whether a unit that runs gets another file while it or its template runs more than once. */
function isShared(state: RegistryState, items: readonly RolloutItem[]): boolean {
  const changed = items.filter(({ from, to }) => from?.desired === 'launched' && from.hash !== to.hash);
  const groups = new Set(changed.map(({ unit }) => parseUnitName(unit).template ?? unit));
  const running = decide(state).assignments.filter(
    ({ unit, desired }) => desired === 'launched' && groups.has(parseUnitName(unit).template ?? unit),
  );
  return running.length > 1;
}
