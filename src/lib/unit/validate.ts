import { ClusterError, type ErrorPlace } from '../error.ts';
import { parseUnitFile, type UnitFile, unitHash } from './file.ts';
import { fleetGlob, type Glob } from './glob.ts';
import { healthCheckOf } from './health-check.ts';
import { parseUnitName, type UnitName } from './name.ts';
import { faultOf } from './placement-keys.ts';
import { CONFLICTS, MACHINE_OF, REPLACES, unitWarnings } from './warnings.ts';
import {
  FLEET_KEYS,
  fleetValues,
  nearestFleetKey,
  type Requirements,
  toRequirements,
  unknownFleetKeys,
} from './xfleet.ts';

export interface ValidatedUnit {
  readonly name: UnitName;
  readonly file: UnitFile;
  readonly requirements: Requirements;
  readonly hash: string;
  /** One line each: allowed, but probably not what was meant. */
  readonly warnings: readonly string[];
}

/**
 * Checks a unit's name, syntax and [X-Fleet] rules; a file may be empty or hold only [X-Fleet]. Throws the first
 * error: those of parseUnitName, parseUnitFile and fleetValues, then `unknown-fleet-key`, `bad-fleet-value`,
 * `bad-health-check` and `bad-requirements` (rules that exclude each other, in fleet's words). What fleet ignores is a warning.
 */
export function validateUnit(
  name: string,
  text: string,
  where: { readonly file?: string } = {},
): ValidatedUnit {
  const unit = parseUnitName(name);
  const file = parseUnitFile(text, { ...where, unit: name });
  const place = (line?: number): ErrorPlace => ({
    unit: name,
    ...where,
    ...(line === undefined ? {} : { line }),
  });
  refuseUnknownKeys(file, name, place);
  const found = fleetValues(unit, file);
  healthCheckOf(name, file);
  const fault = faultOf(found, unit.isTemplate);
  if (fault !== null) {
    const { what, line, hint } = fault;
    throw new ClusterError('bad-fleet-value', `${what} in ${name}`, { ...place(line), hint });
  }
  const wanted = toRequirements(found);
  const clash = clashOf(wanted, wanted.conflicts.map(fleetGlob), wanted.replaces.map(fleetGlob));
  if (clash !== null) {
    const [message, keys, hint] = clash;
    const line = found.find((one) => keys.includes(one.key))?.line;
    throw new ClusterError('bad-requirements', `${message} in ${name}`, { ...place(line), hint });
  }
  return {
    name: unit,
    file,
    requirements: wanted,
    hash: unitHash(file),
    warnings: unitWarnings(unit, file, found, wanted),
  };
}

const MACHINE_ID = ['MachineID', 'X-ConditionMachineID', 'X-ConditionMachineBootID'];

type Place = (line?: number) => ErrorPlace;

function refuseUnknownKeys(file: UnitFile, name: string, place: Place): void {
  const unknown = unknownFleetKeys(file)[0];
  if (unknown === undefined) return;
  const near = nearestFleetKey(unknown.key);
  const known = FLEET_KEYS.filter((key) => !key.startsWith('X-')).join(', ');
  const message = `unknown key ${JSON.stringify(unknown.key)} in [X-Fleet] of ${name}`;
  throw new ClusterError('unknown-fleet-key', message, {
    ...place(unknown.line),
    hint: near === null ? `known keys: ${known}` : `did you mean ${near}?`,
  });
}

/** fleet's checks in fleet's order and words. */
function clashOf(
  wanted: Requirements,
  conflicts: readonly Glob[],
  replaces: readonly Glob[],
): [message: string, keys: readonly string[], hint: string] | null {
  for (const peer of wanted.machineOf) {
    for (const [kind, globs, keys] of [
      ['conflict', conflicts, CONFLICTS],
      ['replace', replaces, REPLACES],
    ] as const) {
      const hit = globs.find((one) => one.test(peer));
      if (hit === undefined) continue;
      const [a, b] = [JSON.stringify(peer), JSON.stringify(hit.pattern)];
      const hint = 'a unit cannot be told to share a machine with one that it must not share a machine with';
      return [`unresolvable requirements: peer ${a} matches ${kind} ${b}`, keys, hint];
    }
  }
  const has = {
    MachineID: wanted.machineId !== null,
    Peers: wanted.machineOf.length > 0,
    Conflicts: wanted.conflicts.length > 0,
    Global: wanted.global,
    Replaces: wanted.replaces.length > 0,
  };
  const keys = {
    MachineID: MACHINE_ID,
    Peers: MACHINE_OF,
    Conflicts: CONFLICTS,
    Global: ['Global'],
    Replaces: REPLACES,
  };
  for (const [one, other] of FORBIDDEN) {
    if (!has[one] || !has[other]) continue;
    const shown = other === 'Peers' ? 'MachineOf' : other;
    return [`${one} cannot be used with ${other}`, keys[other], `remove ${one} or ${shown} from [X-Fleet]`];
  }
  return null;
}

const FORBIDDEN = [
  ['MachineID', 'Peers'],
  ['MachineID', 'Conflicts'],
  ['MachineID', 'Global'],
  ['MachineID', 'Replaces'],
  ['Global', 'Peers'],
  ['Global', 'Replaces'],
  ['Conflicts', 'Replaces'],
] as const;
