import type { Desired, Intent } from '../../plan/model.ts';
import type { RegistryState } from '../../registry/index.ts';

/** Desired states in order: more is wanted of a unit in a later one. */
export const RANK: Readonly<Record<Desired, number>> = { inactive: 0, loaded: 1, launched: 2 };

/** Units in another desired state, with the file that they have. */
export function withDesired(state: RegistryState, names: readonly string[], desired: Desired): Intent {
  return {
    units: new Map(names.map((name) => [name, { hash: state.units.get(name)?.hash ?? '', desired }])),
  };
}
