import { splitUnitName } from '../../unit/index.ts';
import type { ExecResult, UnitReport } from '../port.ts';
import { batches, type RunCommand } from './commands.ts';

/** What systemctl exits with for a unit that is not active, and for one that it does not know. */
const NOT_ACTIVE = 3;
const NOT_FOUND = 4;

/** The first line of what systemctl says of a unit: a mark, then the unit's name. Everything below is indented or dated. */
const HEADING = /^\S [^ /]+\.[a-z]+(?: - .*)?$/u;

/** `systemctl status` of many units by one command, since sshd allows few at a time. */
export async function unitReports(run: RunCommand, units: readonly string[]): Promise<UnitReport[]> {
  // systemctl ends at the first name that cannot be a unit's; a template is such a name.
  const templates = units.filter(isTemplate);
  const names = units.filter((unit) => !isTemplate(unit));
  const groups = [...batches(names), ...templates.map((unit) => [unit])];
  const reports = await Promise.all(
    groups.map(async (group) => {
      const argv = ['systemctl', 'status', '--no-pager', '-l', '--', ...group];
      return splitReports(group, await run(argv, { sudo: true }));
    }),
  );
  const byUnit = new Map(reports.flat().map((report) => [report.unit, report]));
  return units.flatMap((unit) => byUnit.get(unit) ?? []);
}

/** Reads the answer of one `systemctl status` of these units. */
export function splitReports(units: readonly string[], result: ExecResult): UnitReport[] {
  const { code, stdout, stderr } = result;
  const [only] = units;
  if (units.length === 1 && only !== undefined) return [{ unit: only, code, text: stdout + stderr }];

  const missing = new Set(
    [...stderr.matchAll(/^Unit (\S+) could not be found\.$/gm)].map(([, name]) => name),
  );
  const found = units.filter((unit) => !missing.has(unit));
  const blocks = splitBlocks(stdout);
  // One block for each unit in the order asked; an alias is shown under its real name, so names do not tell.
  if (blocks.length !== found.length)
    return units.map((unit) => ({ unit, code, text: (blocks.find(isOf(unit)) ?? stdout) + stderr }));

  const remarks = splitRemarks(units, stderr);
  const texts = new Map(found.map((unit, index) => [unit, blocks[index] ?? '']));
  return units.map((unit) => {
    const block = texts.get(unit);
    return {
      unit,
      code: block === undefined ? NOT_FOUND : codeOf(block),
      text: (block ?? '') + (remarks.get(unit) ?? ''),
    };
  });
}

function isTemplate(unit: string): boolean {
  return splitUnitName(unit)?.isTemplate === true;
}

function isOf(unit: string): (block: string) => boolean {
  return (block) => block.split('\n', 1)[0]?.split(' ')[1] === unit;
}

/** The text of each unit, without the empty line that separates it from the next. */
function splitBlocks(text: string): string[] {
  const blocks: string[][] = [];
  for (const line of text.split('\n')) {
    if (HEADING.test(line)) blocks.push([]);
    blocks.at(-1)?.push(line);
  }
  return blocks.map((lines, index) => {
    const last = index === blocks.length - 1;
    return (last ? lines : lines.slice(0, -1).concat('')).join('\n');
  });
}

/** What stands on stderr by the unit that it names; what names none goes to the first. */
function splitRemarks(units: readonly string[], stderr: string): Map<string, string> {
  const remarks = new Map<string, string>();
  for (const line of stderr.split('\n').filter((text) => text !== '')) {
    const words = new Set(line.split(/[\s,:"']+/).map((word) => word.replace(/\.$/, '')));
    const unit = units.find((name) => words.has(name)) ?? units[0] ?? '';
    remarks.set(unit, `${remarks.get(unit) ?? ''}${line}\n`);
  }
  return remarks;
}

function codeOf(block: string): number {
  const active = /^ +Active: (\S+)/m.exec(block)?.[1] ?? '';
  return ACTIVE.has(active) ? 0 : NOT_ACTIVE;
}

/** States for which systemctl exits with 0. */
const ACTIVE = new Set(['active', 'reloading', 'refreshing']);
