import { ClusterError } from '../../error.ts';
import { decide } from '../../plan/index.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import { findMachine } from '../find-machine.ts';

/** The machine that `ssh ARG` means: a machine, or the machine of a unit. @throws when both or neither fit. */
export function sshTarget(
  state: RegistryState,
  wanted: string,
  kind: 'machine' | 'unit' | 'any',
): MachineRecord {
  const unit = kind === 'machine' ? null : unitMachine(state, wanted);
  let machine: MachineRecord | null = null;
  if (kind !== 'unit') {
    try {
      machine = findMachine(state, wanted);
    } catch (error) {
      if (kind === 'machine' || !(error instanceof ClusterError) || error.code === 'ambiguous-machine')
        throw error;
    }
  }
  if (unit !== null && machine !== null)
    throw new ClusterError(
      'ambiguous-argument',
      `Unable to proceed: ambiguous argument, both machine and unit found for \`${wanted}\``,
      { hint: 'say which: --machine or --unit' },
    );
  const found = unit ?? machine;
  if (found === null)
    throw new ClusterError('unknown-target', 'Unable to proceed: could not find matching unit or machine', {
      hint: 'cluster list-machines and cluster list-unit-files show what there is',
    });
  return found;
}

function unitMachine(state: RegistryState, wanted: string): MachineRecord | null {
  const name = [wanted, `${wanted}.service`].find((item) => state.units.has(item));
  if (name === undefined) return null;
  const { assignments } = decide(state);
  const ids = assignments
    .filter((item) => item.unit === name)
    .map((item) => item.machine)
    .sort();
  const record = state.machines.get(ids[0] ?? '');
  if (record === undefined)
    throw new ClusterError('not-loaded', `Unit ${name} does not appear to be running.`, {
      unit: name,
      hint: `cluster start ${name}`,
    });
  return record;
}
