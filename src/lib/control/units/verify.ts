import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { ClusterError } from '../../error.ts';
import type { Machine } from '../../machine/index.ts';
import { impossibleOn } from '../../plan/index.ts';
import type { MachineRecord } from '../../registry/index.ts';
import { parseUnitName, type Requirements, validateUnit } from '../../unit/index.ts';
import { reportUnreachable } from '../report.ts';
import type { Session } from '../session.ts';

export interface Verified {
  readonly file: string;
  readonly unit: string;
  readonly hash: string;
  readonly warnings: readonly string[];
}

export interface VerifiedFiles {
  /** Files that can be used, in the order given. */
  readonly good: readonly Verified[];
  /** One for each file that cannot. */
  readonly errors: readonly ClusterError[];
}

/** Checks unit files, each whatever the others are, by our rules and, when a machine is registered, by its own `systemd-analyze verify`. */
export async function verifyFiles(session: Session, files: readonly string[]): Promise<VerifiedFiles> {
  const errors: ClusterError[] = [];
  const good: (Verified & { text: string; requirements: Requirements })[] = [];
  for (const file of files) {
    try {
      const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
        throw new ClusterError('file-unreadable', `cannot read ${file}: ${error.code}`, {
          file,
          hint: 'check the path',
        });
      });
      const name = parseUnitName(basename(file));
      const { hash, warnings, requirements } = validateUnit(name.full, text, { file });
      good.push({ file, unit: name.full, hash, warnings, text, requirements });
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      errors.push(error);
    }
  }
  const out: Verified[] = [];
  const machines = good.length > 0 ? (await session.state()).machines : new Map<string, MachineRecord>();
  const machine = await anyMachine(session, machines);
  for (const { text, requirements, ...item } of good) {
    const said = machine === null ? [] : await machine.analyze(item.unit, text);
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
      continue;
    }
    const impossible = impossibleOn(machines.values(), item.unit, requirements);
    out.push({ ...item, warnings: [...item.warnings, ...impossible, ...said] });
  }
  return { good: out, errors };
}

async function anyMachine(
  session: Session,
  machines: ReadonlyMap<string, MachineRecord>,
): Promise<Machine | null> {
  for (const record of machines.values()) {
    try {
      return await session.machine(record);
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      reportUnreachable(session, record, error);
    }
  }
  return null;
}

/** What systemd-analyze says that is true on every machine; a missing program may be missing on this one only. */
const REFUSED = /Refusing\.$|has a bad unit file setting/;
