import { test } from 'vitest';
import { type LabMachine, labPossible } from '../../src/lib/lab/real/index.ts';
import type { Workplace } from './cli.ts';
import { withLab } from './lab.ts';

/** Why there can be no real machines here; null where there can. */
export const why = labPossible();
if (why !== null) process.stderr.write(`real machines are skipped: ${why}\n`);

/** A test that needs real machines. */
export const real = why === null ? test : test.skip;

/** A lab of real machines, where there can be one. */
export function withRealLab(
  name: string,
  flags: readonly string[],
  prepare: (at: Workplace) => Promise<void>,
): void {
  if (why === null) withLab(name, flags, prepare);
}

/** The machines of a lab. */
export async function machinesOf(at: Workplace, lab: string): Promise<LabMachine[]> {
  return JSON.parse((await at.ok('lab', 'status', '--json', '--name', lab)).stdout) as LabMachine[];
}
