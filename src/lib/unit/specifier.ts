import { unescapeName, unescapePath } from './escape.ts';
import { printUnitFile, readUnitFile, type UnitLine } from './file.ts';
import { parseUnitName, type UnitName } from './name.ts';

/** What a machine reports about itself; missing fields take the values of a system manager run by root. */
export interface MachineFacts {
  readonly hostname: string;
  /** /etc/machine-id; dashes are dropped. */
  readonly machineId: string;
  readonly bootId: string;
  /** `uname -r` */
  readonly kernel: string;
  /** `uname -m`, or as systemd names it: `x86_64` and `x86-64` are the same. */
  readonly architecture: string;
  /** The fields of os-release: `ID`, `VERSION_ID`, `BUILD_ID`, `VARIANT_ID`, `IMAGE_ID`, `IMAGE_VERSION`. */
  readonly osRelease?: Readonly<Record<string, string>>;
  readonly prettyHostname?: string;
  readonly user?: string;
  readonly uid?: number;
  readonly group?: string;
  readonly gid?: number;
  readonly home?: string;
  readonly shell?: string;
  /** Path of the unit file on the machine; default `/etc/systemd/system/NAME`. */
  readonly fragmentPath?: string;
}

type Resolve = (name: UnitName) => string;

/** Specifiers that depend on the unit's name only. */
const BY_NAME: Readonly<Record<string, Resolve>> = {
  '%': () => '%',
  n: (name) => name.full,
  N: (name) => name.name,
  p: (name) => name.prefix,
  P: (name) => unescapeName(name.prefix),
  i: (name) => name.instance ?? '',
  I: (name) => unescapeName(name.instance ?? ''),
  j: (name) => lastPart(name),
  J: (name) => unescapeName(lastPart(name)),
  f: (name) => unescapePath(name.instance ?? name.prefix),
};

/** systemd's architecture names where they differ from `uname -m`. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x86_64: 'x86-64',
  i386: 'x86',
  i486: 'x86',
  i586: 'x86',
  i686: 'x86',
  aarch64: 'arm64',
  aarch64_be: 'arm64-be',
  armv6l: 'arm',
  armv7l: 'arm',
  armv8l: 'arm',
  ppc64le: 'ppc64-le',
  ppcle: 'ppc-le',
};

const BY_MACHINE: Readonly<Record<string, (facts: MachineFacts, name: UnitName) => string>> = {
  a: (facts) => ARCHITECTURES[facts.architecture] ?? facts.architecture,
  A: (facts) => facts.osRelease?.IMAGE_VERSION ?? '',
  b: (facts) => facts.bootId.replaceAll('-', ''),
  B: (facts) => facts.osRelease?.BUILD_ID ?? '',
  C: () => '/var/cache',
  d: (_, name) => `/run/credentials/${name.full}`,
  E: () => '/etc',
  g: (facts) => facts.group ?? 'root',
  G: (facts) => String(facts.gid ?? 0),
  h: (facts) => facts.home ?? '/root',
  H: (facts) => facts.hostname,
  l: (facts) => facts.hostname.split('.')[0]!,
  L: () => '/var/log',
  m: (facts) => facts.machineId.replaceAll('-', ''),
  M: (facts) => facts.osRelease?.IMAGE_ID ?? '',
  o: (facts) => facts.osRelease?.ID ?? 'linux',
  q: (facts) => facts.prettyHostname ?? facts.hostname,
  s: (facts) => facts.shell ?? '/bin/bash',
  S: () => '/var/lib',
  t: () => '/run',
  T: () => '/tmp',
  u: (facts) => facts.user ?? 'root',
  U: (facts) => String(facts.uid ?? 0),
  v: (facts) => facts.kernel,
  V: () => '/var/tmp',
  w: (facts) => facts.osRelease?.VERSION_ID ?? '',
  W: (facts) => facts.osRelease?.VARIANT_ID ?? '',
  y: (facts, name) => fragmentPath(facts, name),
  Y: (facts, name) => fragmentPath(facts, name).replace(/\/[^/]*$/, ''),
};

/** What a specifier that only a machine can resolve stands for; used in messages. */
const MEANING: Readonly<Record<string, string>> = {
  a: 'the architecture',
  b: 'the boot id',
  H: 'the host name',
  l: 'the short host name',
  m: 'the machine id',
  q: 'the pretty host name',
  v: 'the kernel release',
};

/** Why `%x` has no value before placement; null when it depends on the name only, or systemd does not know it. */
export function machineMeaning(letter: string): string | null {
  if (!Object.hasOwn(BY_MACHINE, letter)) return null;
  return MEANING[letter] ?? 'something that only the machine knows';
}

/** Replaces every specifier that `resolve` has a value for; others stay (systemd refuses a line with an unknown one). */
export function expandSpecifiers(text: string, resolve: (letter: string) => string | null): string {
  return text.includes('%') ? text.replace(/%(.)/gsu, (all, letter: string) => resolve(letter) ?? all) : text;
}

/** The value of a specifier that depends on the name only, else null. Throws `bad-escape` for `%I` with a bad escape. */
export function resolveByName(letter: string, name: UnitName): string | null {
  return Object.hasOwn(BY_NAME, letter) ? BY_NAME[letter]!(name) : null;
}

/**
 * The text as a machine's systemd 252 will read it: specifiers in all values replaced, everything else unchanged.
 * Throws for a bad unit name or an instance that cannot be unescaped.
 */
export function renderUnit(text: string, unit: string | UnitName, facts: MachineFacts): string {
  const name = typeof unit === 'string' ? parseUnitName(unit) : unit;
  const expand = (part: string): string =>
    expandSpecifiers(part, (letter) => resolveByName(letter, name) ?? byMachine(letter, facts, name));
  // systemd continues a value after a comment inside it, so a line that looks broken may be part of one.
  const render = (line: UnitLine): UnitLine =>
    ['option', 'continuation', 'broken'].includes(line.kind) && !/^\s*[#;]/.test(line.raw)
      ? { ...line, raw: expand(line.raw) }
      : line;
  const file = readUnitFile(text);
  return printUnitFile({ ...file, lines: file.lines.map(render) });
}

function byMachine(letter: string, facts: MachineFacts, name: UnitName): string | null {
  return Object.hasOwn(BY_MACHINE, letter) ? BY_MACHINE[letter]!(facts, name) : null;
}

function lastPart(name: UnitName): string {
  return name.prefix.slice(name.prefix.lastIndexOf('-') + 1);
}

function fragmentPath(facts: MachineFacts, name: UnitName): string {
  return facts.fragmentPath ?? `/etc/systemd/system/${name.full}`;
}
