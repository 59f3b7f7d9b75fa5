import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { ClusterError } from '../../error.ts';
import type { Machine } from '../../machine/index.ts';
import { parseUnitName, validateUnit } from '../../unit/index.ts';
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
    out.push({ ...item, warnings: [...item.warnings, ...said] });
  }
  return { good: out, errors };
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

/** What systemd-analyze says that is true on every machine; a missing program may be missing on this one only. */
const REFUSED = /Refusing\.$|has a bad unit file setting/;
