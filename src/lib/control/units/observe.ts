import { ClusterError } from '../../error.ts';
import type { Machine } from '../../machine/index.ts';
import type { Observation } from '../../plan/model.ts';
import type { MachineRecord } from '../../registry/index.ts';
import type { Session } from '../session.ts';

/** One machine's answer, or why there is none. */
export type Answer<Value> =
  | { readonly machine: MachineRecord; readonly value: Value }
  | { readonly machine: MachineRecord; readonly error: ClusterError };

/** Asks all machines side by side; one that does not answer never holds up or fails the others. */
export async function askAll<Value>(
  session: Session,
  machines: readonly MachineRecord[],
  ask: (machine: Machine, record: MachineRecord) => Promise<Value>,
): Promise<Answer<Value>[]> {
  return Promise.all(
    machines.map(async (record): Promise<Answer<Value>> => {
      try {
        return { machine: record, value: await ask(await session.machine(record), record) };
      } catch (error) {
        if (error instanceof ClusterError) return { machine: record, error };
        throw error;
      }
    }),
  );
}

/** What one machine has of these units, and of everything else that we installed when `all` is set. */
export async function observe(
  machine: Machine,
  id: string,
  units: ReadonlySet<string>,
  all: boolean,
): Promise<Observation[]> {
  const manifest = machine.manifest();
  if (!all) {
    const [states, entries] = await Promise.all([machine.statuses([...units]), manifest]);
    return merge(id, states, entries);
  }
  const entries = await manifest;
  const names = new Set([...units, ...entries.map(({ unit }) => unit)]);
  return merge(id, await machine.statuses([...names]), entries);
}

function merge(
  machine: string,
  states: Awaited<ReturnType<Machine['statuses']>>,
  entries: Awaited<ReturnType<Machine['manifest']>>,
): Observation[] {
  const hashes = new Map(entries.map(({ unit, hash }) => [unit, hash]));
  return states.map(({ unit, load, active, sub }) => ({
    machine,
    unit,
    hash: hashes.get(unit) ?? null,
    load,
    active,
    sub,
  }));
}
