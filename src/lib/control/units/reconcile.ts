import { type Plan, planSnapshot } from '../../plan/index.ts';
import { findMachine } from '../machines/membership.ts';
import type { Session } from '../session.ts';
import { type Converged, converge, write } from './converge.ts';
import { decide, type Intent, snapshotOf } from './decide.ts';
import { findFiles, noTemplate } from './find-units.ts';
import { withFinished } from './finished-oneshots.ts';
import { askAll, observe } from './observe.ts';

/** Makes it so, everywhere, now. @returns the steps, carried out or (dry run) only found, and what went wrong. */
export async function reconcile(
  session: Session,
  wanted: string | undefined,
  dryRun: boolean,
): Promise<Pick<Converged, 'steps' | 'failures'>> {
  const only = (state: Parameters<typeof findMachine>[0]): { only?: string } =>
    wanted === undefined ? {} : { only: findMachine(state, wanted).id };
  if (dryRun) {
    const state = await session.state();
    const options = { block: true, timeoutMs: 0, everything: true, dryRun, ...only(state) };
    return converge(session, state, decide(state, {}), new Set(), options);
  }
  const { before, decision } = await write(session, () => ({}));
  const options = { block: true, timeoutMs: 0, everything: true, ...only(before) };
  return converge(session, before, decision, decision.changed, options);
}

/**
 * What `start UNIT...` (or, without units, `reconcile`) would do, touching nothing. @returns the plan, and how many
 * machines did not answer: of those nobody knows what there is to do.
 */
export async function planAll(
  session: Session,
  args: readonly string[],
): Promise<{ plan: Plan; silent: number }> {
  const state = await session.state();
  const intent = await intended(state, args);
  const decision = decide(state, intent);
  const units = new Set(decision.units.keys());
  const answers = await askAll(session, [...decision.machines.values()], (machine, record) =>
    observe(machine, record.id, units, true),
  );
  const down = new Set(answers.flatMap((answer) => ('error' in answer ? [answer.machine.id] : [])));
  for (const answer of answers)
    if ('error' in answer)
      session.emit({
        kind: 'unreachable',
        machine: { id: answer.machine.id, address: answer.machine.target.address },
        message: answer.error.message,
        units: [],
        hint: answer.error.hint,
      });
  const before = new Map(
    [...decision.units].map(([name, unit]) => [
      name,
      { ...unit, machine: state.units.get(name)?.machine ?? null },
    ]),
  );
  const snapshot = snapshotOf(decision.machines, before, decision.files);
  const seen = answers.flatMap((answer) => ('value' in answer ? answer.value : []));
  const unnamed = decision.assignments.filter(({ unit }) => !intent.units?.has(unit));
  const plan = planSnapshot(
    {
      ...snapshot,
      machines: snapshot.machines.map((item) => (down.has(item.id) ? { ...item, unreachable: true } : item)),
    },
    withFinished(seen, unnamed, decision.files),
  );
  return { plan, silent: down.size };
}

async function intended(state: Parameters<typeof findFiles>[0], args: readonly string[]): Promise<Intent> {
  if (args.length === 0) return {};
  const found = await findFiles(state, args, false, noTemplate);
  return {
    units: new Map(found.map(({ name, hash }) => [name, { hash, desired: 'launched' as const }])),
    files: new Map(found.map(({ hash, text }) => [hash, text])),
  };
}
