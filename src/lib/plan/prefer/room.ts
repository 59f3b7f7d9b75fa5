import type { MachineView } from '../model.ts';
import { CPU, MEMORY, promisedOf, promisedOn } from '../promised.ts';
import type { Preference } from './preference.ts';

const RESOURCES = [MEMORY, CPU];

/**
 * Of units that say what they take (Memory=, Cpu=): the machine of which the smallest part is taken with the unit on
 * it, by the resource that is scarcer there. So that fewer units lose their machine at once, none is filled first. A
 * machine whose size is not known counts as full.
 */
export const room: Preference = {
  name: 'taken',
  winner: 'machine with the most room',
  indexes: RESOURCES.map(promisedOf),
  worth: 0.1,

  concerns(unit) {
    return !unit.global && RESOURCES.some((resource) => resource.of(unit) > 0);
  },

  score(state, unit) {
    const asked = RESOURCES.filter((resource) => resource.of(unit) > 0);
    return (rank) => {
      const machine = state.machines.list[rank] as MachineView;
      const taken = asked.map((resource) => {
        const all = resource.capacity(machine);
        return all === undefined ? 1 : (promisedOn(state, resource, rank) + resource.of(unit)) / all;
      });
      return Math.max(...taken);
    };
  },
};
