import { metadataPair } from './metadata.ts';
import { type PortRange, parseCpu, parsePorts, parseSize } from './resources.ts';

/** What a unit asks of the machines that it is placed on, beyond fleet's rules. */
export interface Asks {
  /** Metadata keys over whose values the instances of the template are spread; the first one counts most. */
  readonly spread: readonly string[];
  /** Metadata that its machine should have, and need not. */
  readonly prefer: readonly (readonly [key: string, value: string])[];
  /** How many instances of the template may share a machine; null = any number. */
  readonly maxPerMachine: number | null;
  /** Bytes; 0 = not said. */
  readonly memory: number;
  /** Thousandths of a CPU; 0 = not said. */
  readonly cpu: number;
  readonly ports: readonly PortRange[];
}

/** What a unit asks that has none of these keys. */
export const ASKS_NOTHING: Asks = {
  spread: [],
  prefer: [],
  maxPerMachine: null,
  memory: 0,
  cpu: 0,
  ports: [],
};

/** One value of [X-Fleet], as far as it is needed here. */
interface Value {
  readonly key: string;
  readonly value: string;
  readonly raw: string;
  readonly line: number;
}

interface KeyRule {
  /** What a good value is, for the error: `is not ...`. */
  readonly kind: string;
  readonly hint: string;
  readonly read: (text: string) => unknown;
  /** The last value counts; otherwise all do. */
  readonly single?: true;
}

const KEY_NAME = /^[^\s=,]+$/;

const RULES: Readonly<Record<string, KeyRule>> = {
  Spread: {
    kind: 'the name of a metadata key',
    hint: 'one key for each line, such as Spread=zone',
    read: (text) => (KEY_NAME.test(text) ? text : null),
  },
  Prefer: {
    kind: 'one key=value of metadata',
    hint: 'one pair for each line, such as Prefer=disk=ssd',
    read: (text) => (/[\s,]/.test(text) ? null : metadataPair(text)),
  },
  MaxPerMachine: {
    kind: 'a whole number from 1',
    hint: 'such as MaxPerMachine=1',
    read: (text) => (/^[1-9]\d{0,8}$/.test(text) ? Number(text) : null),
    single: true,
  },
  Memory: {
    kind: 'a size above 0',
    hint: 'a number of bytes, or one with K, M, G or T: Memory=512M',
    read: parseSize,
    single: true,
  },
  Cpu: {
    kind: 'a number of CPUs above 0',
    hint: 'such as Cpu=2, Cpu=0.5 or Cpu=500m',
    read: parseCpu,
    single: true,
  },
  Ports: {
    kind: 'a port or a range of ports from 1 to 65535',
    hint: 'such as Ports=8080, Ports=8000-8010 or Ports=80 443',
    read: parsePorts,
  },
};

/** The keys of [X-Fleet] that fleet does not know. */
export const PLACEMENT_KEYS: readonly string[] = Object.keys(RULES);

/** What the values ask for; one that is none of its key's values asks for nothing (`faultOf` names it). */
export function readAsks(found: readonly Value[]): Asks {
  if (!found.some(({ key }) => Object.hasOwn(RULES, key))) return ASKS_NOTHING;
  const all = <T>(key: string): T[] =>
    found.flatMap((one) => {
      const value = one.key === key ? RULES[key]?.read(one.value) : null;
      return value === null || value === undefined ? [] : [value as T];
    });
  return {
    spread: [...new Set(all<string>('Spread'))],
    prefer: all<[string, string]>('Prefer'),
    maxPerMachine: all<number>('MaxPerMachine').at(-1) ?? null,
    memory: all<number>('Memory').at(-1) ?? 0,
    cpu: all<number>('Cpu').at(-1) ?? 0,
    ports: all<PortRange[]>('Ports').flat(),
  };
}

/** The first value that its key does not take, and what to write instead. */
export function faultOf(
  found: readonly Value[],
  isTemplate: boolean,
): { readonly what: string; readonly line: number; readonly hint: string } | null {
  for (const { key, value, raw, line } of found) {
    const rule = Object.hasOwn(RULES, key) ? RULES[key] : undefined;
    // A template has no instance of its own to check; its instances are checked when they are named.
    if (rule === undefined || (isTemplate && /[%$]/.test(raw)) || rule.read(value) !== null) continue;
    return { what: `${key}=${value} is not ${rule.kind}`, line, hint: rule.hint };
  }
  return null;
}

/** Ways to write these keys that mean less than they seem to: texts with the line that they are about. */
export function asksWarnings(
  unit: { readonly isTemplate: boolean; readonly instance: string | null },
  found: readonly Value[],
  wanted: Asks & {
    readonly global: boolean;
    readonly machineId: string | null;
    readonly machineOf: readonly string[];
  },
): (readonly [text: string, line: number])[] {
  const out: (readonly [string, number])[] = [];
  const lineOf = (key: string): number => found.findLast((one) => one.key === key)?.line ?? 0;
  const has = (key: string): boolean => found.some((one) => one.key === key);

  for (const [key, { single }] of Object.entries(RULES)) {
    if (single && found.filter((one) => one.key === key).length > 1)
      out.push([`${key} is given more than once: the last value counts`, lineOf(key)]);
  }
  const fixed = wanted.global
    ? 'Global=true puts it on every machine'
    : wanted.machineId !== null
      ? 'MachineID names its machine'
      : wanted.machineOf.length > 0
        ? 'MachineOf decides on its machine'
        : null;
  for (const key of ['Spread', 'Prefer'])
    if (fixed !== null && has(key)) out.push([`${key} has no effect: ${fixed}`, lineOf(key)]);

  const alone = !unit.isTemplate && unit.instance === null;
  for (const key of ['Spread', 'MaxPerMachine'])
    if (alone && has(key))
      out.push([`${key} has no effect: it counts instances of a template, and this is none`, lineOf(key)]);
  const { memory, maxPerMachine } = wanted;
  if (memory > 0 && memory < 2 ** 20)
    out.push([
      `Memory=${memory} is less than one megabyte; write Memory=${memory}M for megabytes`,
      lineOf('Memory'),
    ]);

  // The instances share a port whose line does not name the instance.
  const shared = found.find(({ key, raw }) => key === 'Ports' && !/[%$]/.test(raw));
  if (!alone && shared !== undefined && maxPerMachine !== null && maxPerMachine > 1)
    out.push([
      `MaxPerMachine=${maxPerMachine} has no effect: all instances have Ports=${shared.value}, so that one fits on a machine`,
      shared.line,
    ]);
  return out;
}
