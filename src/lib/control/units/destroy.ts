import { throwFailures } from '../report.ts';
import type { Session } from '../session.ts';
import { converge } from './converge.ts';
import { withDesired } from './desired.ts';
import { nameUnits, requireKnown } from './name-units.ts';
import { scopeOfUnits } from './scope.ts';
import { type VerbOptions, waiting } from './verb.ts';
import { write } from './write.ts';

/** Stops, removes and forgets units; the stop job has ended before the file goes. */
export async function destroy(
  session: Session,
  args: readonly string[],
  options: VerbOptions,
): Promise<void> {
  // Two writes, so that a run that dies between them leaves units that the registry still knows how to remove.
  const decided = await write(session, (state) => {
    const names = requireKnown(state, nameUnits(state, args));
    return { intent: withDesired(state, names, 'inactive'), value: names };
  });
  const { before, decision, reachability, value: names } = decided;
  const scope = scopeOfUnits(before, decision, new Set([...names, ...decision.changed]));
  const { failures } = await converge(session, decided, scope, waiting(options));
  throwFailures(failures);

  const forget = (units: ReadonlyMap<string, unknown>) =>
    new Map(names.filter((name) => units.has(name)).map((name) => [name, null]));
  await write(session, ({ units }) => ({ intent: { units: forget(units) }, value: null }), { reachability });
  for (const unit of names) session.emit({ kind: 'destroyed', unit });
}
