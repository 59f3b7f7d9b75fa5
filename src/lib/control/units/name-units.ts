import { ClusterError, ClusterErrors } from '../../error.ts';
import type { RegistryState, UnitRecord } from '../../registry/index.ts';
import {
  compileGlob,
  expandRanges,
  mangle,
  nearest,
  parseUnitName,
  type UnitName,
} from '../../unit/index.ts';

/** A unit that a command names. */
export interface Named {
  readonly name: UnitName;
  /** As typed, ranges expanded; its folder is where local files are looked for. */
  readonly argument: string;
}

/** Which units a pattern means, of those that match it; all of them when none of them fits. */
export type Fits = (unit: UnitRecord) => boolean;

const anyUnit: Fits = () => true;

/** A pattern means what can run: `start 'demo@*'` is not about demo@.service. */
export const noTemplate: Fits = ({ name }) => !parseUnitName(name).isTemplate;

/** A pattern means what is on machines: `stop 'demo@*'` passes over what is inactive. */
export const notInactive: Fits = ({ desired }) => desired !== 'inactive';

/**
 * Arguments to unit names: ranges expanded, patterns matched against the registry, the rest taken as name or path.
 * @throws ClusterErrors with one error for each bad argument.
 */
export function nameUnits(state: RegistryState, args: readonly string[], fits: Fits = anyUnit): Named[] {
  const { named, errors } = nameEach(state, args, fits);
  if (errors.length > 0) throw new ClusterErrors(errors);
  return named;
}

/** As `nameUnits`, with the errors beside the units of the good arguments. */
export function nameEach(
  state: RegistryState,
  args: readonly string[],
  fits: Fits = anyUnit,
): { named: Named[]; errors: ClusterError[] } {
  const errors: ClusterError[] = [];
  const out = new Map<string, Named>();
  if (args.length === 0)
    throw new ClusterError('no-units', 'No units given', { hint: 'name units, such as hello.service' });
  for (const arg of args) {
    try {
      for (const argument of expandRanges(arg))
        for (const named of nameOne(state, argument, fits))
          if (!out.has(named.name.full)) out.set(named.name.full, named);
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      errors.push(error);
    }
  }
  return { named: [...out.values()], errors };
}

function nameOne(state: RegistryState, argument: string, fits: Fits): Named[] {
  if (!/[*?[]/.test(argument)) return [{ name: parseUnitName(mangle(argument)), argument }];
  const glob = compileGlob(argument);
  const matching = [...state.units.values()].filter(
    ({ name }) => glob.test(name) || glob.test(name.replace(/\.service$/, '')),
  );
  if (matching.length === 0)
    throw new ClusterError('no-match', `no unit matches ${argument}`, {
      hint: 'cluster list-unit-files shows what there is',
    });
  const fitting = matching.filter(fits);
  const names = (fitting.length > 0 ? fitting : matching).map(({ name }) => name);
  return names.sort().map((name) => ({ name: parseUnitName(name), argument: name }));
}

/** The state as if units that machines still have to be rid of were known: they can be named to be destroyed again. */
export function withLeaving(state: RegistryState): RegistryState {
  const units = new Map(state.units);
  for (const { unit } of state.leaving.values())
    if (!units.has(unit)) units.set(unit, { v: 1, name: unit, hash: '', desired: 'inactive', machine: null });
  return { ...state, units };
}

/** @throws ClusterErrors naming each unit that the registry does not know. */
export function requireKnown(state: RegistryState, named: readonly Named[]): string[] {
  const errors = named
    .filter(({ name }) => !state.units.has(name.full))
    .map(({ name }) => {
      const close = nearest(name.full, [...state.units.keys()]);
      return new ClusterError('unknown-unit', `Unit ${name.full} not found in registry`, {
        unit: name.full,
        hint: close === null ? 'cluster list-unit-files shows what there is' : `did you mean ${close}?`,
      });
    });
  if (errors.length > 0) throw new ClusterErrors(errors);
  return named.map(({ name }) => name.full);
}
