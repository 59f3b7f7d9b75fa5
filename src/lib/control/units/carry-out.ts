import { randomBytes } from 'node:crypto';
import { ClusterError } from '../../error.ts';
import type { InstallFile, JobOutcome, JobWaiting, Machine, OwnerChange } from '../../machine/index.ts';
import type { Assignment, Step } from '../../plan/model.ts';
import { applyAllowed, claimsOf } from './allowed.ts';

export interface Work {
  /** Steps of this machine, in the planner's order. */
  readonly steps: readonly Step[];
  /** What this machine should have, by unit. */
  readonly assignments: ReadonlyMap<string, Assignment>;
  readonly text: (hash: string) => string;
  readonly block: boolean;
  /** How long what starts is watched. */
  readonly minHealthyMs: number;
  /** Hears of each unit once, when its last step here is done; null = nothing was to be waited for. */
  readonly ended: (unit: string, outcome: JobOutcome | null) => void;
  /** Jobs of these units are waited for from here on. */
  readonly waits: (job: 'start' | 'stop', units: readonly string[]) => void;
  /** Changes that earlier runs left undone and that these steps do anew. */
  readonly settles: readonly string[];
  /** Whether nobody waits any more: then nothing further is begun. */
  readonly isOver?: () => boolean;
  /** What the machine carries afterwards; absent = what it does now. */
  readonly owner?: OwnerChange;
}

const TICKET_BYTES = 8;

/**
 * The gate: every change of a machine's units passes here. Each group is one round trip, in the order that leaves
 * something the next run can finish if we are killed between any two of them: a unit that is only stopped loses its
 * wish to start at boot first; a file goes only after its unit's stop job has ended; a change of files is marked on the
 * machine until systemd has read it and the links of [Install] are made.
 */
export async function carryOut(machine: Machine, work: Work): Promise<void> {
  const isOver = work.isOver ?? (() => false);
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

  const stuck = new Set<string>();
  const settled = new Set<string>();
  const settle = (outcome: JobOutcome): void => {
    if (isFailed(outcome)) stuck.add(outcome.unit);
    else if (!kept.includes(outcome.unit)) return;
    settled.add(outcome.unit);
    work.ended(outcome.unit, outcome);
  };
  const stop = async (units: readonly string[], block: boolean): Promise<void> => {
    if (units.length === 0) return;
    if (block) work.waits('stop', units);
    await machine.stop(units, block, { onOutcome: settle });
  };

  const enabled = [...installs].filter((unit) => /^[ \t]*\[Install\]/m.test(fileOf(work, unit).text));
  const claims = await claimsOf(
    machine,
    enabled.map((unit) => fileOf(work, unit)),
  );
  // Before it is stopped: what is refused goes on running as it is.
  const early = claims.filter(({ unit }) => stops.includes(unit));
  if (early.length > 0)
    for (const refused of await applyAllowed(machine, { install: [], remove: [], claims: early }))
      settle(refused);

  // A unit whose file goes or changes is waited for in any case.
  const queued = work.block ? [] : kept;
  const waited = stops.filter((unit) => !queued.includes(unit) && !stuck.has(unit));
  await stop(queued, false);
  await stop(waited, true);

  if (isOver()) return;
  const written = [...new Set([...installs, ...starts])].filter((unit) => !stuck.has(unit));
  const changesFiles = installs.size + removes.length > 0;
  const ticket = randomBytes(TICKET_BYTES).toString('hex');
  const change = {
    ...(changesFiles && { ticket }),
    install: written.map((unit) => fileOf(work, unit)),
    remove: removes.filter((unit) => !stuck.has(unit)),
    claims: claims.filter(({ unit }) => !stuck.has(unit)),
    ...owner,
  };
  for (const refused of await applyAllowed(machine, change)) settle(refused);

  const allowed = enabled.filter((unit) => !stuck.has(unit));
  if (allowed.length > 0) await machine.enable(allowed);
  // After enabling: systemd learns of new links only when it reloads.
  if (work.steps.some((step) => step.action === 'reload')) await machine.reload();
  if (change.remove.length > 0) await machine.forget(change.remove);

  const ready = starts.filter((unit) => !stuck.has(unit));
  const left = new Set(work.steps.map(({ unit }) => unit).filter((unit) => !settled.has(unit)));
  for (const unit of left) if (!ready.includes(unit)) work.ended(unit, null);
  const tickets = [ticket, ...(stuck.size === 0 ? work.settles : [])];
  const read = changesFiles ? machine.settle(tickets) : undefined;
  const starting = ready.length > 0 && !isOver();
  if (starting && work.block) work.waits('start', ready);
  const waiting: JobWaiting = {
    minHealthyMs: work.minHealthyMs,
    onOutcome: (outcome) => work.ended(outcome.unit, outcome),
  };
  await Promise.all([starting ? machine.start(ready, work.block, waiting) : undefined, read]);
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

/** Whether a unit's job did not do what was asked for. */
export function isFailed({ result }: JobOutcome): boolean {
  return !['done', 'skipped', 'queued'].includes(result);
}
