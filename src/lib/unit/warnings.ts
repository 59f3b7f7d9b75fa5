import { effectiveValues, type UnitFile } from './file.ts';
import { fleetGlob } from './glob.ts';
import { metadataPair } from './metadata.ts';
import { parseUnitName, splitUnitName, type UnitName } from './name.ts';
import { nearest } from './nearest.ts';
import { asksWarnings } from './placement-keys.ts';
import { FLEET_SECTION, type FleetValue, isTrue, patternWords, type Requirements } from './xfleet.ts';

export const CONFLICTS = ['Conflicts', 'X-Conflicts'];
export const REPLACES = ['Replaces'];
export const MACHINE_OF = ['MachineOf', 'X-ConditionMachineOf'];
const METADATA = ['MachineMetadata', 'X-ConditionMachineMetadata'];

/** The sections that systemd and fleet read. */
const SECTIONS = [
  ...[
    'Unit',
    'Install',
    'Service',
    'Socket',
    'Timer',
    'Path',
    'Mount',
    'Automount',
    'Swap',
    'Slice',
    'Scope',
  ],
  FLEET_SECTION,
];

/** Options whose values are free text or command lines, where a # may be meant. */
const FREE_TEXT = /^(Exec|Environment|Description|Documentation|StatusText|X-)/;

/** What is allowed in a unit file but probably not meant: one line each, starting with the unit's name. */
export function unitWarnings(
  unit: UnitName,
  file: UnitFile,
  found: readonly FleetValue[],
  wanted: Requirements,
): string[] {
  const { full, type } = unit;
  const warnings: string[] = [];
  const add = (text: string, line?: number): void => {
    warnings.push(line === undefined ? `${full}: ${text}` : `${full}:${line}: ${text}`);
  };
  if (type === 'busname' || type === 'snapshot') add(`systemd no longer knows units of type ${type}`);
  // In an inventory a unit often has a name and no text, so only files are checked.
  if (file.options.length === 0 && file.file !== undefined)
    add(`${file.file} has no options: there is nothing to run`);
  for (const [text, line] of [...misnamedSections(file), ...trailingComments(file)]) add(text, line);
  for (const text of lostRestarts(file)) add(text);

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
    // A template has no instance of its own to check; its instances are checked when they are named.
    const judged = !(unit.isTemplate && /[%$]/.test(raw));
    if (METADATA.includes(key) && metadataPair(value) === null && judged) {
      add(`${key}=${value} is not one key=value and asks for nothing, as in fleet`, line);
    }
    for (const pattern of patternsOf(key, value)) {
      const { problem } = fleetGlob(pattern);
      if (problem !== undefined) add(`${key}: ${problem}; it matches nothing, as in fleet`, line);
    }
  }
  for (const [text, line] of asksWarnings(unit, found, wanted)) add(text, line);
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

type Warning = readonly [text: string, line: number];

/** `[x-fleet]`, `[Fleet]`, `[Services]`: systemd and fleet ignore sections that they do not know. */
function misnamedSections(file: UnitFile): Warning[] {
  return file.lines.flatMap(({ kind, raw }, i): Warning[] => {
    if (kind !== 'section') return [];
    const name = raw.trim().slice(1, -1);
    if (SECTIONS.includes(name)) return [];
    const plain = name.toLowerCase().replace(/^x-/, '');
    const same = SECTIONS.find((known) => known.toLowerCase().replace(/^x-/, '') === plain);
    const meant = same ?? (name.startsWith('X-') ? null : nearest(name, SECTIONS));
    return meant === null ? [] : [[`section [${name}] is ignored; write [${meant}]`, i + 1]];
  });
}

/** A comment needs a line of its own; after a value it is part of the value. */
function trailingComments(file: UnitFile): Warning[] {
  return file.options.flatMap(({ section, key, value, line }): Warning[] => {
    const suspicious = /\s[#;]\s?\S/.test(value) && (section === FLEET_SECTION || !FREE_TEXT.test(key));
    return suspicious
      ? [[`${key}: what follows # belongs to the value; a comment needs its own line`, line]]
      : [];
  });
}

/**
 * `Requires=` stops a unit whenever the other unit stops, and `Restart=` does not apply to such a stop.
 */
function lostRestarts(file: UnitFile): string[] {
  const restart = effectiveValues(file, 'Service', 'Restart').at(-1) ?? 'no';
  if (restart === 'no') return [];
  const required = effectiveValues(file, 'Unit', 'Requires').flatMap((value) => value.split(/\s+/));
  return required
    .filter((name) => name.endsWith('.service'))
    .map(
      (name) =>
        `Requires=${name} stops it with ${name}, and Restart=${restart} does not start it again; Wants=${name} and After=${name} let it run on and come back`,
    );
}
