import { ClusterError } from '../error.ts';
import { nearest } from './nearest.ts';

/** systemd's limit; fleet allowed 256, one more than systemd accepts. */
export const MAX_UNIT_NAME_BYTES = 255;

export const UNIT_TYPES: readonly string[] = [
  'automount',
  'busname',
  'device',
  'mount',
  'path',
  'scope',
  'service',
  'slice',
  'snapshot',
  'socket',
  'swap',
  'target',
  'timer',
];

/** The unit types that may have templates and instances, as in fleet. */
export const TEMPLATE_TYPES: readonly string[] = ['path', 'service', 'socket', 'target', 'timer'];

/** An argument with one of these suffixes is a unit name already; any other gets `.service`. */
export const CLI_SUFFIXES: readonly string[] = UNIT_TYPES.map((type) => `.${type}`);

export interface UnitName {
  /** `demo@1.service` */
  readonly full: string;
  /** `demo@1`: everything before the last dot. */
  readonly name: string;
  /** `demo`: everything before the first `@`, or the whole name. */
  readonly prefix: string;
  /** `1`; null for a plain unit and for a template. */
  readonly instance: string | null;
  /** `service` */
  readonly type: string;
  readonly isTemplate: boolean;
  readonly isInstance: boolean;
  /** `demo@.service` for an instance and for the template itself, else null. */
  readonly template: string | null;
}

/** Splits at the first `@` and the last `.` without validating the parts; null when there is no dot. */
export function splitUnitName(text: string): UnitName | null {
  const dot = text.lastIndexOf('.');
  if (dot === -1) return null;
  const name = text.slice(0, dot);
  const at = name.indexOf('@');
  const instance = at === -1 || at === name.length - 1 ? null : name.slice(at + 1);
  const prefix = at === -1 ? name : name.slice(0, at);
  return {
    full: text,
    name,
    prefix,
    instance,
    type: text.slice(dot + 1),
    isTemplate: at !== -1 && instance === null,
    isInstance: instance !== null,
    template: at === -1 ? null : `${prefix}@${text.slice(dot)}`,
  };
}

/** A unit name by fleet's and systemd's rules. Throws `bad-unit-name`, whose message starts with fleet's words. */
export function parseUnitName(text: string): UnitName {
  const problem = nameProblem(text);
  if (problem === null) return splitUnitName(text)!;
  const shown = text.length > 80 ? `${text.slice(0, 80)}...` : text;
  const [message, hint] = problem;
  throw new ClusterError(
    'bad-unit-name',
    text === '' ? message : `${message}: ${JSON.stringify(shown)}`,
    hint === undefined ? { unit: shown } : { unit: shown, hint },
  );
}

function nameProblem(text: string): [message: string, hint?: string] | null {
  if (text === '') return ['unit name cannot be empty'];
  if (Buffer.byteLength(text) > MAX_UNIT_NAME_BYTES) {
    return [`unit name exceeds maximum length (${MAX_UNIT_NAME_BYTES})`, 'systemd takes no longer names'];
  }
  const dot = text.lastIndexOf('.');
  if (dot === -1) return ['unit name must contain "."', 'a unit name ends in its type, such as .service'];
  if (dot === text.length - 1) return ['unit name cannot end in "."', 'add the unit type, such as .service'];
  const type = text.slice(dot + 1);
  if (!UNIT_TYPES.includes(type)) {
    const near = nearest(type, UNIT_TYPES);
    return [
      `invalid unit type: ${JSON.stringify(type)}`,
      near === null ? `use one of ${UNIT_TYPES.join(' ')}` : `did you mean .${near}?`,
    ];
  }
  if (dot === 0) return ['unit name cannot start in "."', 'put a name before the unit type'];
  const bad = /[^A-Za-z0-9:\-_.\\@]/u.exec(text.slice(0, dot))?.[0];
  if (bad !== undefined) {
    const shown = bad === "'" ? "'\\''" : `'${/\p{C}/u.test(bad) ? JSON.stringify(bad).slice(1, -1) : bad}'`;
    return [
      `invalid character ${shown} in unit name`,
      'allowed are A-Z a-z 0-9 : - _ . \\ @; see systemd-escape',
    ];
  }
  const at = text.indexOf('@');
  if (at === 0) return ['unit name cannot start in "@"', 'put a name before the "@"'];
  if (at !== -1 && !TEMPLATE_TYPES.includes(type)) {
    return [
      `invalid unit type for template: ${JSON.stringify(type)}`,
      `only ${TEMPLATE_TYPES.join(' ')} units can be templates`,
    ];
  }
  return null;
}

/** A command-line argument (name or path) as a unit name: its base name, with `.service` when it has no unit type. */
export function mangle(argument: string): string {
  const base = argument.replace(/\/+$/, '').split('/').at(-1) ?? '';
  return CLI_SUFFIXES.some((suffix) => base.endsWith(suffix)) ? base : `${base}.service`;
}
