import { throwFailures } from '../report.ts';
import type { Session } from '../session.ts';
import { converge } from './converge.ts';
import { nameUnits, requireKnown, withLeaving } from './name-units.ts';
import { reportDestroyed } from './report-leaving.ts';
import { scopeOfUnits } from './scope.ts';
import { type VerbOptions, waiting } from './verb.ts';
import { write } from './write.ts';

/**
 * Stops, removes and forgets units; the stop job has ended before the file goes. A unit is forgotten at once; what
 * machines still have to be rid of is recorded with it, so that reconcile finishes what this run could not.
 */
export async function destroy(
  session: Session,
  args: readonly string[],
  options: VerbOptions,
): Promise<void> {
  const decided = await write(session, (state) => {
    const known = withLeaving(state);
    const names = requireKnown(known, nameUnits(known, args));
    return { intent: { units: new Map(names.map((name) => [name, null])) }, value: names };
  });
  const { before, decision, value: names } = decided;
  const scope = scopeOfUnits(before, decision, new Set([...names, ...decision.changed]));
  const { failures } = await converge(session, decided, scope, waiting(options));

  await reportDestroyed(session, names);
  throwFailures(failures);
}
