import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { ClusterError, ClusterErrors } from '../../error.ts';
import type { Machine } from '../../machine/index.ts';
import { parseUnitName, renderUnit, validateUnit } from '../../unit/index.ts';
import { findMachine } from '../find-machine.ts';
import { reportUnreachable } from '../report.ts';
import type { Session } from '../session.ts';

export interface Verified {
  readonly file: string;
  readonly unit: string;
  readonly hash: string;
  readonly warnings: readonly string[];
}

/** Checks unit files by our rules and, when a machine is registered, by its own `systemd-analyze verify`. */
export async function verifyFiles(session: Session, files: readonly string[]): Promise<Verified[]> {
  const errors: ClusterError[] = [];
  const good: (Verified & { text: string })[] = [];
  for (const file of files) {
    try {
      const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
        throw new ClusterError('file-unreadable', `cannot read ${file}: ${error.code}`, {
          file,
          hint: 'check the path',
        });
      });
      const name = parseUnitName(basename(file));
      const { hash, warnings } = validateUnit(name.full, text, { file });
      good.push({ file, unit: name.full, hash, warnings, text });
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      errors.push(error);
    }
  }
  const out: Verified[] = [];
  const machine = good.length > 0 ? await anyMachine(session) : null;
  for (const { text, ...item } of good) {
    const said = machine === null ? [] : await analyze(machine, item.unit, text);
    const refused = said.find((line) => REFUSED.test(line));
    if (refused !== undefined) {
      const why = refused.replace(/^\S+\.\w+: /, '').replace(/ Refusing\.$/, '');
      errors.push(
        new ClusterError('unit-refused', `${item.file}: systemd would not load it: ${why}`, {
          unit: item.unit,
          file: item.file,
          hint: 'correct the file: start would fail for the same reason',
        }),
      );
    }
    out.push({ ...item, warnings: [...item.warnings, ...said] });
  }
  if (errors.length > 0) throw new ClusterErrors(errors);
  return out;
}

async function anyMachine(session: Session): Promise<Machine | null> {
  const state = await session.state();
  for (const record of state.machines.values()) {
    try {
      return await session.machine(record);
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      reportUnreachable(session, record, error);
    }
  }
  return null;
}

/** Of all that systemd-analyze says, this holds on every machine; that a program is missing may be so on this one. */
const REFUSED = /Refusing\.$|has a bad unit file setting/;

const SCRIPT =
  'd=$(mktemp -d) || exit 9; trap \'rm -rf "$d"\' EXIT; cat >"$d/$1" && systemd-analyze verify "$d/$2" 2>&1';

async function analyze(machine: Machine, unit: string, text: string): Promise<string[]> {
  const name = parseUnitName(unit);
  // A template can only be analysed as one of its instances.
  const probe = name.isTemplate ? unit.replace('@.', '@verify.') : unit;
  // Units that this one needs are not there while it is looked at alone: that they are missing says nothing.
  const { stdout } = await machine.exec(['sh', '-c', SCRIPT, 'cluster-verify', unit, probe], { stdin: text });
  return stdout
    .split('\n')
    .filter(
      (line) =>
        (line.includes(unit) || line.includes(probe)) && !/Failed to create .*: Unit .* not found/.test(line),
    )
    .map((line) => line.replace(/\/tmp\/tmp\.[^/]*\//g, ''));
}

/** The stored text of the one unit that is named; with `render` as systemd on its machine (or the named one) will read it. */
export async function catUnit(
  session: Session,
  args: readonly string[],
  options: { render: boolean; machine?: string },
): Promise<string> {
  const { nameUnits, requireKnown } = await import('./name-units.ts');
  const state = await session.state();
  const [unit = '', ...more] = requireKnown(state, nameUnits(state, args));
  if (more.length > 0)
    throw new ClusterError('too-many-units', 'One unit file must be provided', {
      hint: `cluster cat ${unit}`,
    });
  const text = state.files.get(state.units.get(unit)?.hash ?? '') ?? '';
  if (!options.render) return text;
  const { locate } = await import('./status-and-journal.ts');
  const record =
    options.machine === undefined
      ? (await locate(session, [unit]))[0]?.machine
      : findMachine(state, options.machine);
  if (record === undefined)
    throw new ClusterError('not-loaded', `Unit ${unit} is on no machine`, {
      unit,
      hint: 'name one: --machine ID',
    });
  const machine = await session.machine(record);
  const facts = await machine.facts();
  const [release, info] = await Promise.all([
    fieldsOf(machine, ['/etc/os-release', '/usr/lib/os-release']),
    fieldsOf(machine, ['/etc/machine-info']),
  ]);
  return renderUnit(text, unit, {
    hostname: facts.hostname,
    machineId: facts.machineId,
    bootId: facts.bootId,
    kernel: facts.kernel,
    architecture: facts.architecture,
    osRelease: release,
    ...(info.PRETTY_HOSTNAME !== undefined && { prettyHostname: info.PRETTY_HOSTNAME }),
  });
}

/** The fields of the first of these files that is there. */
async function fieldsOf(machine: Machine, files: readonly string[]): Promise<Record<string, string>> {
  for (const file of files) {
    const { code, stdout } = await machine.exec(['cat', file]);
    if (code === 0) return readFields(stdout);
  }
  return {};
}

/** `KEY=value` lines with the shell's quotes: os-release(5), machine-info(5). */
function readFields(text: string): Record<string, string> {
  const out: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const [, key = '', quote = '', value = ''] = /^([A-Z_]+)=(["']?)(.*)\2$/.exec(line.trim()) ?? [];
    if (key !== '') out[key] = quote === "'" ? value : value.replace(/\\(["$`\\])/g, '$1');
  }
  return out;
}
