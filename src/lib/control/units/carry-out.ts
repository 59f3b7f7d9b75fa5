import { ClusterError } from '../../error.ts';
import type { InstallFile, JobOutcome, Machine, OwnerChange } from '../../machine/index.ts';
import type { Assignment, Step } from '../../plan/model.ts';

export interface Work {
  /** Steps of this machine, in the planner's order. */
  readonly steps: readonly Step[];
  /** What this machine should have, by unit. */
  readonly assignments: ReadonlyMap<string, Assignment>;
  readonly text: (hash: string) => string;
  readonly block: boolean;
  /** What the machine carries afterwards; absent = what it does now. */
  readonly owner?: OwnerChange;
}

/**
 * The gate: every change of a machine's units passes here. Each group is one round trip, in the order that leaves
 * something the next run can finish if we are killed between any two of them: a unit that is only stopped loses its
 * wish to start at boot first; a file goes only after its unit's stop job has ended.
 */
export async function carryOut(machine: Machine, work: Work): Promise<JobOutcome[]> {
  const named = (action: Step['action']): string[] =>
    work.steps.filter((step) => step.action === action).map((step) => step.unit);
  const stops = named('stop');
  const removes = named('remove');
  const installs = new Set(named('install'));
  const starts = named('start');

  const kept = stops.filter(
    (unit) => !installs.has(unit) && work.assignments.get(unit)?.desired === 'loaded',
  );
  const owner = work.owner && { owner: work.owner };
  if (kept.length > 0)
    await machine.apply({ install: kept.map((unit) => fileOf(work, unit)), remove: [], ...owner });

  const outcomes: JobOutcome[] = [];
  // A unit whose file goes or changes is waited for in any case.
  const queued = work.block ? [] : kept;
  const waited = stops.filter((unit) => !queued.includes(unit));
  if (queued.length > 0) outcomes.push(...failed(await machine.stop(queued, false)));
  if (waited.length > 0) outcomes.push(...failed(await machine.stop(waited, true)));

  const stuck = new Set(outcomes.map(({ unit }) => unit));
  const written = [...new Set([...installs, ...starts])].filter((unit) => !stuck.has(unit));
  const change = {
    install: written.map((unit) => fileOf(work, unit)),
    remove: removes.filter((unit) => !stuck.has(unit)),
    ...owner,
  };
  if (change.install.length + change.remove.length > 0) await machine.apply(change);

  const enabled = [...installs].filter(
    (unit) => !stuck.has(unit) && /^\[Install\]/m.test(fileOf(work, unit).text),
  );
  if (enabled.length > 0) await machine.enable(enabled);
  // After enabling: systemd learns of new links only when it reloads.
  if (work.steps.some((step) => step.action === 'reload')) await machine.reload();
  if (change.remove.length > 0) await machine.forget(change.remove);

  const ready = starts.filter((unit) => !stuck.has(unit));
  if (ready.length > 0) outcomes.push(...(await machine.start(ready, work.block)));
  return outcomes;
}

function fileOf(work: Work, unit: string): InstallFile {
  const assignment = work.assignments.get(unit);
  if (assignment === undefined)
    throw new ClusterError('internal', `a step for ${unit} without an assignment`);
  return {
    unit,
    hash: assignment.hash,
    text: work.text(assignment.hash),
    launched: assignment.desired === 'launched',
  };
}

function failed(outcomes: readonly JobOutcome[]): JobOutcome[] {
  return outcomes.filter(({ result }) => !['done', 'skipped', 'queued'].includes(result));
}
