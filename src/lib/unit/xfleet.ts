import { ClusterError } from '../error.ts';
import type { UnitFile, UnitOption } from './file.ts';
import { metadataPair } from './metadata.ts';
import { splitUnitName, type UnitName } from './name.ts';
import { nearest } from './nearest.ts';
import { type Asks, PLACEMENT_KEYS, readAsks } from './placement-keys.ts';
import { expandSpecifiers, machineMeaning, resolveByName } from './specifier.ts';
import { expandVariables, literalEnvironment } from './variables.ts';

export const FLEET_SECTION = 'X-Fleet';

/** Every known key of [X-Fleet], deprecated names last. */
export const FLEET_KEYS: readonly string[] = [
  'MachineID',
  'MachineOf',
  'MachineMetadata',
  'Conflicts',
  'Global',
  'Replaces',
  'HealthCheck',
  ...PLACEMENT_KEYS,
  'X-ConditionMachineID',
  'X-ConditionMachineBootID',
  'X-ConditionMachineOf',
  'X-ConditionMachineMetadata',
  'X-Conflicts',
];

/** Where a unit may run, as its [X-Fleet] section says. */
export interface Requirements extends Asks {
  /** A full machine id or its first eight characters. */
  readonly machineId: string | null;
  /** Unit names; all of them must be on the machine. */
  readonly machineOf: readonly string[];
  /** Globs over unit names, by Go's path.Match. */
  readonly conflicts: readonly string[];
  readonly replaces: readonly string[];
  /** AND across keys, OR within one; values sorted. */
  readonly metadata: Readonly<Record<string, readonly string[]>>;
  readonly global: boolean;
}

/** One value of [X-Fleet] after splitting and expansion, with the line it is on. */
export interface FleetValue {
  readonly key: string;
  readonly value: string;
  readonly line: number;
  readonly raw: string;
}

/** Splits a value as fleet does: only a value that starts and ends with a double quote has several words. */
export function parseMultivalue(line: string): string[] {
  if (!line.startsWith('"') || !line.endsWith('"')) return [line];
  const words: string[] = [];
  let word = '';
  let quoted = false;
  for (const char of line) {
    if (char === '"') {
      quoted = !quoted;
    } else if (char === ' ' && !quoted) {
      words.push(word);
      word = '';
    } else {
      word += char;
    }
  }
  words.push(word);
  return words;
}

/** The options of [X-Fleet] whose key is unknown (keys are case-sensitive). */
export function unknownFleetKeys(file: UnitFile): UnitOption[] {
  return file.options.filter(({ section, key }) => section === FLEET_SECTION && !FLEET_KEYS.includes(key));
}

/** [X-Fleet] as fleet reads it: every key, known or not, with its words; only specifiers of the name are replaced. */
export function rawRequirements(unit: string | UnitName, file: UnitFile): Record<string, string[]> {
  const name = typeof unit === 'string' ? splitUnitName(unit) : unit;
  const found = new Map<string, string[]>();
  for (const { section, key, value } of file.options) {
    if (section !== FLEET_SECTION) continue;
    const words = parseMultivalue(value).map((word) =>
      name === null ? word : expandSpecifiers(word, (letter) => resolveByName(letter, name)),
    );
    found.set(key, [...(found.get(key) ?? []), ...words]);
  }
  return Object.fromEntries(found);
}

/**
 * The values of [X-Fleet] with variables and specifiers replaced. Throws `specifier-needs-machine`,
 * `unknown-variable`, `bad-variable`, `bad-quoting` or `bad-escape`.
 */
export function fleetValues(unit: string | UnitName, file: UnitFile): FleetValue[] {
  const name = typeof unit === 'string' ? splitUnitName(unit) : unit;
  const shown = typeof unit === 'string' ? unit : unit.full;
  let environment: Map<string, string> | null = null;
  const variables = (): Map<string, string> => {
    environment ??= literalEnvironment(file);
    return environment;
  };
  const found: FleetValue[] = [];
  for (const { section, key, value, line } of file.options) {
    if (section !== FLEET_SECTION) continue;
    const place = { unit: shown, line, ...(file.file === undefined ? {} : { file: file.file }) };
    const specifiers = (text: string): string =>
      name === null ? text : expandSpecifiers(text, (letter) => resolve(letter, name, key, place));
    const lookup = (variable: string): string | null => {
      const text = variables().get(variable);
      return text === undefined ? null : specifiers(text);
    };
    for (const raw of parseMultivalue(value)) {
      // Specifiers first: a variable's value is already expanded and must not be expanded twice.
      const expanded = expandVariables(specifiers(raw), lookup, () => variables().keys(), place);
      found.push({ key, value: expanded, line, raw });
    }
  }
  return found;
}

function resolve(
  letter: string,
  name: UnitName,
  key: string,
  place: { readonly unit: string; readonly file?: string; readonly line: number },
): string | null {
  const meaning = machineMeaning(letter);
  if (meaning === null) return resolveByName(letter, name);
  throw new ClusterError(
    'specifier-needs-machine',
    `%${letter} in ${key} of ${place.unit} is ${meaning}: not known before the unit has a machine`,
    {
      ...place,
      hint: '[X-Fleet] decides on the machine; there only %n %N %p %P %i %I %j %J %f %% have a value',
    },
  );
}

/**
 * Where the unit may run. Unknown keys and metadata other than `key=value` are ignored, as in fleet (validateUnit
 * refuses them); throws what {@link fleetValues} throws.
 */
export function requirements(unit: string | UnitName, file: UnitFile): Requirements {
  return toRequirements(fleetValues(unit, file));
}

/** Groups expanded values by meaning; values under a list's deprecated name come before those under the new one. */
export function toRequirements(found: readonly FleetValue[]): Requirements {
  const all = (...keys: string[]): string[] =>
    keys.flatMap((key) => found.filter((one) => one.key === key).map((one) => one.value));
  const metadata = new Map<string, Set<string>>();
  for (const text of all('X-ConditionMachineMetadata', 'MachineMetadata')) {
    const pair = metadataPair(text);
    if (pair === null) continue;
    const set = metadata.get(pair[0]);
    if (set === undefined) metadata.set(pair[0], new Set([pair[1]]));
    else set.add(pair[1]);
  }
  return {
    machineId: all('MachineID', 'X-ConditionMachineID', 'X-ConditionMachineBootID')[0] ?? null,
    machineOf: all('X-ConditionMachineOf', 'MachineOf'),
    conflicts: all('X-Conflicts', 'Conflicts').flatMap(patternWords),
    replaces: all('Replaces'),
    metadata: Object.fromEntries([...metadata].map(([key, set]) => [key, [...set].sort()])),
    global: isTrue(all('Global').at(-1) ?? ''),
    ...readAsks(found),
  };
}

/** The patterns of a Conflicts value, separated by whitespace or by the backslash that continues a line. */
export function patternWords(text: string): string[] {
  return text.split(/(?:\s|\\\n)+/).filter((word) => word !== '');
}

/** What fleet reads as true: true, yes, 1, on, t, in any case. */
export function isTrue(text: string): boolean {
  return ['true', 'yes', '1', 'on', 't'].includes(text.toLowerCase());
}

/** The key that was probably meant; deprecated names are suggested only when one was attempted. */
export function nearestFleetKey(key: string): string | null {
  const modern = FLEET_KEYS.filter((known) => !known.startsWith('X-'));
  return nearest(key, FLEET_KEYS) ?? nearest(key.replace(/^X-(Condition)?/, ''), modern);
}
