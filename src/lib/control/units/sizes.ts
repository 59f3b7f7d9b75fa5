import type { Intent } from '../../plan/model.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import type { Session } from '../session.ts';
import { askAll, type Reachability } from './ask.ts';

/** Of which machines it is read again how much memory and how many CPUs they have. */
export type Refresh = 'all' | 'unknown';

const ASKING = /^[ \t]*(Memory|Cpu)[ \t]*=/m;

/**
 * The records of machines whose size is not what is recorded, read now from those that answer; none where no unit and
 * none of `texts` asks for memory or CPUs. A machine that has another id than its record is left alone.
 */
export async function sizesNow(
  session: Session,
  state: RegistryState,
  reachability: Reachability,
  which: Refresh,
  texts: Iterable<string> = [],
): Promise<Map<string, MachineRecord>> {
  const isAsked = [...texts, ...state.files.values()].some((text) => ASKING.test(text));
  const records = [...state.machines.values()].filter(
    ({ facts }) => which === 'all' || facts.memory === undefined || facts.cpus === undefined,
  );
  if (!isAsked || records.length === 0) return new Map();

  await reachability.ask(records, state.identity);
  const up = records.filter(({ id }) => !reachability.away.has(id));
  const answers = await askAll(session, up, (machine) => machine.facts());
  return new Map(
    answers.flatMap((answer): [string, MachineRecord][] => {
      if ('error' in answer) return [];
      const { machine: record, value } = answer;
      const { memory, cpus } = value;
      const { memory: _, cpus: __, ...facts } = record.facts;
      const isSame = memory === record.facts.memory && cpus === record.facts.cpus;
      if (isSame || value.machineId !== record.id) return [];
      const size = { ...(memory !== undefined && { memory }), ...(cpus !== undefined && { cpus }) };
      return [[record.id, { ...record, facts: { ...facts, ...size } }]];
    }),
  );
}

/** An intent that also records these machines. */
export function withSizes(
  intent: Intent<MachineRecord>,
  sizes: ReadonlyMap<string, MachineRecord>,
): Intent<MachineRecord> {
  return sizes.size === 0 ? intent : { ...intent, machines: new Map([...(intent.machines ?? []), ...sizes]) };
}
