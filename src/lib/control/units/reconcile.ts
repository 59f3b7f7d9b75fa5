import type { ClusterError } from '../../error.ts';
import type { Intent, Step } from '../../plan/model.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import type { MachineName } from '../event.ts';
import { findMachine } from '../find-machine.ts';
import type { Session } from '../session.ts';
import { Reachability } from './ask.ts';
import { converge, reportRefusals, UNTIL_DONE } from './converge.ts';
import { scopeOfAll } from './scope.ts';
import { sizesNow, withSizes } from './sizes.ts';
import { preview, write } from './write.ts';

export interface ReconcileOptions {
  readonly dryRun: boolean;
  /** Asked once for each machine. */
  readonly mayRemove: (machine: MachineName, units: readonly string[]) => Promise<boolean>;
}

/** What `reconcile` asks for: nothing but that the sizes of machines are what they are now; `plan` asks the same. */
export async function intendSizes(
  session: Session,
  state: RegistryState,
  reachability: Reachability,
  only?: string,
): Promise<Intent<MachineRecord>> {
  const sizes = await sizesNow(session, state, reachability, only === undefined ? 'all' : 'unknown');
  return withSizes({}, sizes);
}

/**
 * Makes every machine (or the one that is named) what the registry says it should be, now. @returns the steps, carried
 * out or (dry run) only found, and what went wrong, reported. Every stop and removal is said first, with its reason;
 * `mayRemove` is asked before units go that the registry has no record of.
 */
export async function reconcile(
  session: Session,
  machine: string | undefined,
  { dryRun, mayRemove }: ReconcileOptions,
): Promise<{ steps: readonly Step[]; failures: readonly ClusterError[] }> {
  const reachability = new Reachability(session);
  const decided = await (dryRun ? preview : write)(
    session,
    async (state) => {
      const only = machine === undefined ? undefined : findMachine(state, machine).id;
      return { intent: await intendSizes(session, state, reachability, only), value: only };
    },
    { reachability, everywhere: machine === undefined },
  );
  const scope = scopeOfAll(decided.before, decided.decision, decided.value);
  const refused = reportRefusals(session, decided, () => true);
  const { steps, failures } = await converge(session, decided, scope, {
    ...UNTIL_DONE,
    dryRun,
    careful: { mayRemove },
  });
  return { steps, failures: [...refused, ...failures] };
}
