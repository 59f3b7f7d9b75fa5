import { ClusterError } from '../../error.ts';
import type { MachineRecord } from '../../registry/index.ts';
import { findMachine } from '../find-machine.ts';
import { nameOf, throwFailures } from '../report.ts';
import type { Session } from '../session.ts';
import { write } from '../units/write.ts';
import { convergeMachines } from './converge-machines.ts';

/** `k=v` arguments; @throws `bad-metadata`. */
export function readMetadata(pairs: readonly string[]): Record<string, string> {
  const out: Record<string, string> = {};
  for (const pair of pairs.flatMap((item) => item.split(','))) {
    const at = pair.indexOf('=');
    const key = pair.slice(0, at).trim();
    if (at < 1 || key === '')
      throw new ClusterError('bad-metadata', `"${pair}" is not KEY=VALUE`, {
        hint: 'such as --metadata role=web',
      });
    out[key] = pair.slice(at + 1).trim();
  }
  return out;
}

/** Sets keys (`k=v`) and removes keys (`k=`), then moves what no longer fits. */
export async function setMetadata(
  session: Session,
  wanted: string,
  pairs: readonly string[],
): Promise<MachineRecord> {
  const edits = readMetadata(pairs);
  const decided = await write(session, (state) => {
    const machine = findMachine(state, wanted);
    const metadata = Object.fromEntries(
      Object.entries({ ...machine.metadata, ...edits }).filter(([, value]) => value !== ''),
    );
    const record: MachineRecord = { ...machine, metadata };
    return { intent: { machines: new Map([[machine.id, record]]) }, value: record };
  });
  const { value: record } = decided;
  session.emit({ kind: 'machine-metadata', machine: nameOf(record), metadata: record.metadata });
  throwFailures(await convergeMachines(session, decided, new Set([record.id])));
  return record;
}
