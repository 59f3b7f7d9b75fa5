import { MEMORY } from '../promised.ts';
import { resourceRule } from './resource.ts';

/** Memory=: together no more than nine tenths of the machine's memory. It sets no limit on what a unit really uses. */
export const memory = resourceRule(MEMORY);
