import { ClusterError } from '../../error.ts';
import type { Machine } from '../port.ts';
import { systemdScript } from './scripts.ts';

/**
 * How many processes are left in the control group of each of these units. What a unit leaves behind when it stops
 * (KillMode=process) is there although systemd calls the unit inactive, or knows it no more.
 */
export async function processesLeft(
  machine: Pick<Machine, 'exec' | 'target'>,
  units: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  if (units.length === 0) return new Map();
  const { code, stdout, stderr } = await machine.exec(systemdScript('left', ...units.map(asPattern)));
  const counts = stdout.trim().split(/\s+/).map(Number);
  if (code === 0 && counts.length === units.length && counts.every(Number.isInteger))
    return new Map(units.map((unit, at) => [unit, counts[at]!]));
  const { address } = machine.target;
  throw new ClusterError(
    'control-groups-unreadable',
    `the control groups of units cannot be read on ${address}: ${stderr.trim().split('\n')[0] || `exit status ${code}`}`,
    { machine: address, hint: 'find and the unified hierarchy below /sys/fs/cgroup are needed there' },
  );
}

/** The name as find(1) takes it literally. */
const asPattern = (unit: string): string => unit.replace(/[\\*?[\]]/g, '\\$&');
