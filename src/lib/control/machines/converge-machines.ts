import type { ClusterError } from '../../error.ts';
import type { Session } from '../session.ts';
import { converge, reportRefusals, UNTIL_DONE } from '../units/converge.ts';
import { joinScopes, type Scope, scopeOfGlobals, scopeOfUnits } from '../units/scope.ts';
import type { Decided } from '../units/write.ts';

/**
 * After these machines were added or changed: settles the global units there, and the units that move because of it,
 * wherever they are. @returns what went wrong, reported.
 */
export async function convergeMachines(
  session: Session,
  decided: Decided,
  machines: ReadonlySet<string>,
  /** Units that these machines have although they are not placed there. */
  strays: Scope = new Map(),
): Promise<readonly ClusterError[]> {
  const { before, decision } = decided;
  const scope = joinScopes(
    scopeOfGlobals(before, decision, machines),
    scopeOfUnits(before, decision, decision.changed),
    strays,
  );
  const refused = reportRefusals(session, decided, (unit) => decision.changed.has(unit));
  const { failures } = await converge(session, decided, scope, UNTIL_DONE);
  return [...refused, ...failures];
}
