import type { FileDiff, KnownVersion } from '../control/units/file-history.ts';
import { printable } from '../printable.ts';
import type { Change, EventRecord } from '../registry/index.ts';
import { machineId } from './format.ts';
import { renderTable } from './table.ts';

const SHORT = 7;

/** Versions of unit files; a star marks what units have now. */
export function versionsTable(versions: readonly KnownVersion[]): string {
  return renderTable(
    ['', 'file', 'hash', 'when', 'who', 'units', 'commit', 'message', 'command'],
    versions.map((version) => [
      version.current.length > 0 ? '*' : '',
      version.file,
      version.hash.slice(0, SHORT),
      version.at.slice(0, 19).replace('T', ' '),
      version.who,
      some(version.current.length > 0 ? version.current : version.units),
      version.commit?.slice(0, SHORT) ?? '-',
      version.message ?? '-',
      version.command,
    ]),
    true,
    { width: process.stdout.columns },
  );
}

/** Two versions as `diff -u` shows them; a line that says so where they are the same. */
export async function diffText({ from, to }: FileDiff): Promise<string> {
  if (from.hash === to.hash) return `${to.file} ${to.hash.slice(0, SHORT)}: the same text\n`;
  const { createTwoFilesPatch } = await import('diff');
  const name = ({ file, hash }: KnownVersion): string => `${file} ${hash.slice(0, SHORT)}`;
  const patch = createTwoFilesPatch(name(from), name(to), from.text, to.text, from.at, to.at, { context: 3 });
  return patch.replace(/^=+\n/m, '');
}

/** One line of `cluster events`. */
export function eventLine({ at, who, command, message, changes }: EventRecord): string {
  const why = message === undefined ? '' : ` "${message}"`;
  const when = at.slice(0, 19).replace('T', ' ');
  return printable(`${when}  ${who}  ${changesText(changes)}${why}  (${command})`);
}

/** Changes that differ in the name only are told together. */
function changesText(changes: readonly Change[]): string {
  const groups = new Map<string, string[]>();
  for (const change of changes) {
    const what = changeText(change);
    groups.set(what, [...(groups.get(what) ?? []), change.name]);
  }
  return [...groups].map(([what, names]) => `${what.replace('NAME', some(names))}`).join('; ');
}

function changeText({ kind, removed, desired, machine }: Change): string {
  if (removed) return `${kind} NAME removed`;
  if (kind !== 'unit') return `${kind} NAME written`;
  const where = typeof machine === 'string' ? ` on ${machineId(machine, false)}` : '';
  return `unit NAME ${desired}${where}`;
}

function some(names: readonly string[]): string {
  const [first = '-', ...more] = names;
  return more.length === 0 ? first : `${first} and ${more.length} more`;
}
