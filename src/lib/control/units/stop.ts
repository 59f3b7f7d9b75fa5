import { ClusterError } from '../../error.ts';
import { throwFailures } from '../report.ts';
import type { Session } from '../session.ts';
import { converge } from './converge.ts';
import { RANK, withDesired } from './desired.ts';
import { isGlobal } from './global.ts';
import { nameUnits, notInactive, requireKnown } from './name-units.ts';
import { reportLeaving } from './report-leaving.ts';
import { scopeOfUnits } from './scope.ts';
import { reportTriggered, type VerbOptions, waiting } from './verb.ts';
import { write } from './write.ts';

/** `stop` (to loaded), `unload` (to inactive). @returns the units that this changed. */
export async function stop(
  session: Session,
  args: readonly string[],
  desired: 'loaded' | 'inactive',
  options: VerbOptions,
): Promise<readonly string[]> {
  const decided = await write(session, (state) => {
    const named = requireKnown(state, nameUnits(state, args, notInactive));
    const rank = (name: string): number => RANK[state.units.get(name)?.desired ?? 'inactive'];
    const idle = desired === 'loaded' ? named.find((name) => rank(name) === RANK.inactive) : undefined;
    if (idle !== undefined)
      throw new ClusterError('not-loaded', `Unable to stop unit ${idle} in state inactive`, {
        unit: idle,
        hint: 'it is on no machine; cluster list-unit-files shows its state',
      });
    const lowered = named.filter((name) => rank(name) > RANK[desired]);
    return { intent: withDesired(state, lowered, desired), value: { named, lowered } };
  });
  const { before, decision } = decided;
  const { named, lowered } = decided.value;

  const globals = new Set(lowered.filter((unit) => isGlobal(before, unit)));
  reportTriggered(session, lowered, globals, desired === 'loaded' ? 'stop' : 'unload', options.block);
  const scope = scopeOfUnits(before, decision, new Set([...named, ...decision.changed]));
  const { failures } = await converge(session, decided, scope, {
    ...waiting(options),
    asked: new Set(named),
  });
  if (desired === 'inactive') {
    for (const unit of lowered) session.emit({ kind: 'inactive', unit });
    if (failures.length > 0) await reportLeaving(session, lowered);
  }
  throwFailures(failures);
  return lowered;
}
