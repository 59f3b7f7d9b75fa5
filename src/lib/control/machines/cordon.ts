import { ClusterError, EXIT } from '../../error.ts';
import { decide } from '../../plan/index.ts';
import type { RolloutEntry } from '../../registry/index.ts';
import { OPERATOR, withCordon, withoutCordons } from '../cordons.ts';
import { findMachine } from '../find-machine.ts';
import { nameOf, throwFailures } from '../report.ts';
import type { Session } from '../session.ts';
import { write } from '../units/write.ts';
import { convergeMachines } from './converge-machines.ts';

/** Keeps new units away from a machine; what is there stays, global units too. */
export async function cordonMachine(
  session: Session,
  wanted: string,
  reason: string | undefined,
): Promise<void> {
  const { value } = await write(session, (state) => {
    const record = findMachine(state, wanted);
    const known = record.cordons?.[OPERATOR];
    if (known !== undefined && (reason === undefined || known.reason === reason))
      return { intent: {}, value: { record, cordon: known, already: true } };
    const { assignments, globals } = decide(state);
    const here = assignments.filter(({ unit, machine }) => machine === record.id && globals.has(unit));
    const cordon = {
      who: session.who,
      since: known?.since ?? new Date().toISOString(),
      ...(reason !== undefined && { reason }),
      globals: known?.globals ?? here.map(({ unit }) => unit).sort(),
    };
    const next = withCordon(record, OPERATOR, cordon);
    return {
      intent: { machines: new Map([[next.id, next]]) },
      value: { record: next, cordon, already: false },
    };
  });
  const { record, cordon, already } = value;
  const why = cordon.reason === undefined ? {} : { reason: cordon.reason };
  session.emit({ kind: 'machine-cordoned', machine: nameOf(record), owner: OPERATOR, ...why, already });
}

/**
 * Lifts the operator's cordon, and those of rollouts that have ended; global units come back, and units that wait for a
 * machine. Cordons of others stay.
 * @throws `not-cordoned`; `cordon-held` (exit 6) where only rollouts that have not ended hold the machine.
 */
export async function uncordonMachine(session: Session, wanted: string): Promise<void> {
  const { rollouts } = await (await session.rollouts()).load();
  const decided = await write(session, (state) => {
    const record = findMachine(state, wanted);
    const { address } = record.target;
    const owners = Object.keys(record.cordons ?? {});
    if (owners.length === 0)
      throw new ClusterError('not-cordoned', `machine ${address} is not cordoned; nothing was changed`, {
        machine: address,
        hint: 'cluster list-machines --fields machine,ip,cordons',
      });
    const held = rollouts.filter(({ rollout }) => owners.includes(`rollout/${rollout.id}`)).filter(isHolding);
    const kept = new Set(held.map(({ rollout }) => `rollout/${rollout.id}`));
    const gone = new Set(owners.filter((owner) => !kept.has(owner)));
    if (gone.size === 0) throw heldBy(address, held[0]!);
    const next = withoutCordons(record, gone);
    return { intent: { machines: new Map([[next.id, next]]) }, value: { record: next, left: [...kept] } };
  });
  const { record, left } = decided.value;
  session.emit({ kind: 'machine-uncordoned', machine: nameOf(record), left });
  throwFailures(await convergeMachines(session, decided, new Set([record.id])));
}

const ENDED: ReadonlySet<string> = new Set(['done', 'rolled-back', 'aborted']);
const isHolding = ({ rollout }: RolloutEntry): boolean => !ENDED.has(rollout.state);

function heldBy(address: string, { rollout: { id, who, state } }: RolloutEntry): ClusterError {
  return new ClusterError(
    'cordon-held',
    `machine ${address} is cordoned by rollout ${id} of ${who} (${state}); nothing was changed`,
    {
      machine: address,
      hint: `cluster rollout show ${id}; cluster rollout abort ${id} ends it, and its cordon can be lifted then`,
      exit: EXIT.conflict,
    },
  );
}
