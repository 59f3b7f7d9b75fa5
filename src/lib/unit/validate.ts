import { ClusterError, type ErrorPlace } from '../error.ts';
import { parseUnitFile, type UnitFile, unitHash } from './file.ts';
import { fleetGlob, type Glob } from './glob.ts';
import { parseUnitName, splitUnitName, type UnitName } from './name.ts';
import {
  FLEET_KEYS,
  type FleetValue,
  fleetValues,
  isTrue,
  metadataPair,
  nearestFleetKey,
  patternWords,
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
 * error: those of parseUnitName, parseUnitFile and fleetValues, then `unknown-fleet-key` and `bad-requirements` (rules
 * that cannot be had together, in fleet's words). What fleet passes over is a warning.
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
    warnings: warn(unit, file, found, wanted),
  };
}

const CONFLICTS = ['Conflicts', 'X-Conflicts'];
const REPLACES = ['Replaces'];
const MACHINE_OF = ['MachineOf', 'X-ConditionMachineOf'];
const MACHINE_ID = ['MachineID', 'X-ConditionMachineID', 'X-ConditionMachineBootID'];
const METADATA = ['MachineMetadata', 'X-ConditionMachineMetadata'];

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

function warn(unit: UnitName, file: UnitFile, found: readonly FleetValue[], wanted: Requirements): string[] {
  const { full, type } = unit;
  const warnings: string[] = [];
  const add = (text: string, line?: number): void => {
    warnings.push(line === undefined ? `${full}: ${text}` : `${full}:${line}: ${text}`);
  };
  if (type === 'busname' || type === 'snapshot') add(`systemd no longer knows units of type ${type}`);
  file.lines.forEach(({ kind, raw }, i) => {
    if (kind === 'preamble') add('text before the first [Section] is ignored', i + 1);
    const last = file.lines[i + 1]?.kind !== 'continuation';
    if (kind === 'continuation' && last && /^\s*[#;]/.test(raw)) {
      add('systemd leaves a comment out of a continued value and reads on after it', i + 1);
    }
  });
  for (const { key, value, raw, line } of found) {
    if (key.startsWith('X-'))
      add(`${key} is deprecated, write ${key.replace(/^X-(Condition)?/, '').replace('BootID', 'ID')}`, line);
    if (key === 'Global' && !isTrue(value) && !/^(false|no|0|off|f)$/i.test(value)) {
      add(`Global=${value} is neither true nor false and counts as false`, line);
    }
    if (MACHINE_OF.includes(key) && value === full)
      add('MachineOf names the unit itself: it can never run', line);
    else if (MACHINE_OF.includes(key) && !isUnitName(value) && !unit.isTemplate) {
      add(`MachineOf=${value} is not a unit name: nothing can match it`, line);
    }
    // A template's own instance is empty; its instances are checked when they come.
    const judged = !(unit.isTemplate && /[%$]/.test(raw));
    if (METADATA.includes(key) && metadataPair(value) === null && judged) {
      add(`${key}=${value} is not one key=value and asks for nothing, as in fleet`, line);
    }
    for (const pattern of patternsOf(key, value)) {
      const { problem } = fleetGlob(pattern);
      if (problem !== undefined) add(`${key}: ${problem}; it matches nothing, as in fleet`, line);
    }
  }
  if (wanted.machineId === '' && !unit.isTemplate) add('MachineID is empty: no machine matches it');
  return warnings;
}

function patternsOf(key: string, value: string): readonly string[] {
  if (CONFLICTS.includes(key)) return patternWords(value);
  return REPLACES.includes(key) ? [value] : [];
}

function isUnitName(text: string): boolean {
  if (splitUnitName(text) === null) return false;
  try {
    parseUnitName(text);
    return true;
  } catch {
    return false;
  }
}
