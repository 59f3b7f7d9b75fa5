import { type Plan, planOf } from '../../plan/index.ts';
import type { Session } from '../session.ts';
import { Reachability } from './ask.ts';
import { converge, UNTIL_DONE } from './converge.ts';
import type { ChangedFile } from './find-files.ts';
import { intendSizes } from './reconcile.ts';
import { scopeOfAll, scopeOfUnits } from './scope.ts';
import { intendStart } from './start.ts';
import { preview } from './write.ts';

export interface Planned {
  readonly plan: Plan;
  /** Machines that were asked and did not answer: of those nobody knows what there is to do. */
  readonly silent: number;
  /** Local files that differ from the stored ones; the plan is that of `start --replace`. */
  readonly changes: readonly ChangedFile[];
}

/** What `start --replace UNIT...` or, without units, `reconcile` would do, touching nothing. */
export async function plan(session: Session, args: readonly string[]): Promise<Planned> {
  return args.length === 0 ? planAll(session) : planUnits(session, args);
}

async function planUnits(session: Session, args: readonly string[]): Promise<Planned> {
  const reachability = new Reachability(session);
  const decided = await preview(
    session,
    (state) => intendStart(session, state, reachability, args, 'launched', { differing: 'replace' }),
    { reachability, scores: true },
  );
  const { before, decision } = decided;
  const asked = new Set(decided.value.names);
  const scope = scopeOfUnits(before, decision, new Set([...asked, ...decision.changed]));
  const { steps, silent } = await converge(session, decided, scope, { ...UNTIL_DONE, asked, dryRun: true });
  return { plan: planOf(decision, steps), silent: silent.size, changes: decided.value.changes };
}

async function planAll(session: Session): Promise<Planned> {
  const reachability = new Reachability(session);
  const decided = await preview(
    session,
    async (state) => ({ intent: await intendSizes(session, state, reachability), value: null }),
    { reachability, everywhere: true, scores: true },
  );
  const scope = scopeOfAll(decided.before, decided.decision);
  const { steps, silent } = await converge(session, decided, scope, { ...UNTIL_DONE, dryRun: true });
  return { plan: planOf(decided.decision, steps), silent: silent.size, changes: [] };
}
