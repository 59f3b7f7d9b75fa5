import { CPU } from '../promised.ts';
import { resourceRule } from './resource.ts';

/** Cpu=: together no more than the CPUs that the machine has. It sets no limit on what a unit really uses. */
export const cpu = resourceRule(CPU);
