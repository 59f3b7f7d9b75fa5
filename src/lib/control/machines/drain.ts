import type { Cordon } from '../../plan/model.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import { isCordoned, OPERATOR, withCordon } from '../cordons.ts';
import { findMachine } from '../find-machine.ts';
import { nameOf } from '../report.ts';
import type { BeginOptions } from '../rollouts/begin.ts';
import { type DrainDraft, type DrainWishes, draftOfDrain } from '../rollouts/drain.ts';
import type { DriveOptions } from '../rollouts/drive.ts';
import { planRollout, type RolloutPlan, roll } from '../rollouts/start.ts';
import type { Session } from '../session.ts';
import { write } from '../units/write.ts';
import { refuseLastGateway } from './last-of-its-kind.ts';

export interface DrainOptions extends BeginOptions, DriveOptions {
  /** Stop what no other machine can have, instead of changing nothing. */
  readonly force: boolean;
}

/**
 * Empties a machine by a rollout: it is cordoned, its units go elsewhere one after another, global units leave last.
 * @throws `drain-blocked`, `last-gateway`, `rollout-conflict` with nothing changed; and what the end of the rollout means.
 */
export async function drainMachine(session: Session, wanted: string, options: DrainOptions): Promise<void> {
  const { record, draft } = await planDrain(
    session,
    await session.state({ toChange: true }),
    wanted,
    options,
  );
  if (draft.items.length === 0) {
    if (!isCordoned(record)) await cordonEmpty(session, wanted, options.who);
    const already = isCordoned(record);
    session.emit({ kind: 'machine-drained', machine: nameOf(record), already });
    return;
  }
  await rollDrain(session, wanted, { force: options.force, globals: true }, options);
  session.emit({ kind: 'machine-drained', machine: nameOf(record), already: false });
}

/** The batches of what `drainMachine` would do. @throws as it does, with nothing changed. */
export async function previewDrain(
  session: Session,
  wanted: string,
  options: DrainOptions,
): Promise<RolloutPlan> {
  const { draft } = await planDrain(session, await session.state(), wanted, options);
  const plan = await planRollout(session, draft, options);
  return { ...plan, notes: [...plan.notes, ...draft.notes] };
}

/** Drives the drain of a machine. `draft` is made anew of the newest state when others begin at the same moment. */
export async function rollDrain(
  session: Session,
  wanted: string,
  wishes: DrainWishes,
  options: BeginOptions & DriveOptions,
): Promise<void> {
  const draft = async () => {
    const state = await (await session.registry()).load();
    const made = await draftOfDrain(session, state, findMachine(state, wanted), wishes);
    return made.items.length === 0 ? null : made;
  };
  await roll(session, draft, options);
}

async function planDrain(
  session: Session,
  state: RegistryState,
  wanted: string,
  { force }: DrainOptions,
): Promise<{ record: MachineRecord; draft: DrainDraft }> {
  const record = findMachine(state, wanted);
  await refuseLastGateway(session, record);
  return { record, draft: await draftOfDrain(session, state, record, { force, globals: true }) };
}

async function cordonEmpty(session: Session, wanted: string, who: string): Promise<void> {
  await write(session, (state) => {
    const record = findMachine(state, wanted);
    const cordon: Cordon = { who, since: new Date().toISOString(), reason: 'drained', globals: [] };
    return {
      intent: { machines: new Map([[record.id, withCordon(record, OPERATOR, cordon)]]) },
      value: null,
    };
  });
}
