import type { MachineView } from '../model.ts';
import type { Rule } from './rule.ts';

/** Nothing new comes to a machine that does not answer; a global unit belongs there all the same. */
export const unreachable: Rule = {
  name: 'unreachable',
  newcomersOnly: true,

  candidates({ machines }, unit) {
    return unit.global ? null : machines.those(isReachable);
  },

  why({ machines }, unit, rank) {
    if (unit.global || isReachable(machines.list[rank] as MachineView)) return null;
    return 'the machine cannot be reached';
  },
};

const isReachable = (machine: MachineView): boolean => machine.unreachable !== true;
