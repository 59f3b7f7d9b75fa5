import type { ClusterError } from '../../error.ts';
import type { Step } from '../../plan/model.ts';
import type { Session } from '../session.ts';
import { converge, UNTIL_DONE } from './converge.ts';
import { nameUnits, requireKnown, withLeaving } from './name-units.ts';
import { scopeOfUnits } from './scope.ts';
import { preview } from './write.ts';

export interface WouldDestroy {
  /** What would be forgotten. */
  readonly units: readonly string[];
  /** What would be done on machines that answer. */
  readonly steps: readonly Step[];
  /** What machines that do not answer said, reported. */
  readonly failures: readonly ClusterError[];
}

/** The units that these arguments name, all of which must be known. */
export async function unitsToDestroy(session: Session, args: readonly string[]): Promise<string[]> {
  const known = withLeaving(await session.state());
  return requireKnown(known, nameUnits(known, args));
}

/** What `destroy` with these arguments would do, touching nothing. */
export async function wouldDestroy(session: Session, args: readonly string[]): Promise<WouldDestroy> {
  const decided = await preview(session, (state) => {
    const known = withLeaving(state);
    const units = requireKnown(known, nameUnits(known, args));
    return { intent: { units: new Map(units.map((name) => [name, null])) }, value: units };
  });
  const { before, decision, value: units } = decided;
  const scope = scopeOfUnits(before, decision, new Set([...units, ...decision.changed]));
  const { steps, failures } = await converge(session, decided, scope, { ...UNTIL_DONE, dryRun: true });
  return { units, steps, failures };
}
