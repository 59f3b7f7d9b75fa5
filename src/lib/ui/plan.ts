import type { ChangedFile } from '../control/units/find-files.ts';
import type { Move, Plan } from '../plan/index.ts';
import type { Placement, Step } from '../plan/model.ts';
import { printable } from '../printable.ts';
import { refusal } from './events.ts';
import { planMachine } from './format.ts';
import { grouped, subjectOf } from './group.ts';
import { renderTable } from './table.ts';

/** Steps as a person reads them, machine by machine. */
export function stepLines(steps: readonly Step[]): string {
  const rows = steps.map(({ machine, action, unit, reason }) => [
    planMachine(machine),
    action,
    unit || '-',
    reason,
  ]);
  return renderTable(['machine', 'action', 'unit', 'why'], rows, true);
}

/** Moves of a rebalance as a person reads them, in their order. */
export function moveLines(moves: readonly Move[]): string {
  const rows = moves.map(({ unit, from, to, reason }) => [unit, planMachine(from), planMachine(to), reason]);
  return renderTable(['unit', 'from', 'to', 'why'], rows, true);
}

/** How many units have their scores spelled out; the rest is in --json. */
const RANKED = 10;

/** The first machines of each unit that is placed anew, and what ranks them. */
function scoreLines(placements: readonly Placement[]): string {
  const ranked = placements.filter(({ scores = [] }) => scores.length > 1);
  if (ranked.length === 0) return '';
  const rows = ranked
    .slice(0, RANKED)
    .flatMap(({ unit, scores = [] }) =>
      scores.map(({ machine, score }, at) => [at === 0 ? unit : '', planMachine(machine), scoreText(score)]),
    );
  const more = ranked.length - RANKED;
  const rest = more > 0 ? `and ${more} more units; cluster plan --json has the scores of all\n` : '';
  return renderTable(['unit', 'best machines', 'score'], rows, true) + rest;
}

const scoreText = (score: Readonly<Record<string, number>>): string =>
  Object.entries(score)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');

const line = (text: string): string => `${printable(text)}\n`;

/** A whole plan: what would be done, what cannot be, what looks odd. `silent` machines did not answer. */
export function planText(plan: Plan, silent: number): string {
  const parts: string[] = [];
  if (plan.steps.length > 0) parts.push(stepLines(plan.steps));
  const scores = scoreLines(plan.placements);
  if (scores !== '') parts.push(scores);
  const refused = plan.refusals.map(({ unit, reasons }) => ({ lines: refusal(unit, reasons), about: unit }));
  const odd = plan.warnings.map((text) => ({ lines: [`WARNING: ${text}`], about: subjectOf(text) }));
  for (const lines of [...grouped(refused), ...grouped(odd)]) parts.push(lines.map(line).join(''));
  if (plan.steps.length === 0 && plan.refusals.length === 0) {
    parts.push(silent > 0 ? 'Nothing to do on the machines that answer.\n' : 'Nothing to do.\n');
  }
  return parts.join('\n');
}

/** The lines in which local files differ from the stored ones, as diff -u shows them. */
export async function changesText(changes: readonly ChangedFile[]): Promise<string> {
  if (changes.length === 0) return '';
  const { createTwoFilesPatch } = await import('diff');
  const parts = changes.map(({ path, units, stored, local }) => {
    const patch = createTwoFilesPatch('registry', path, stored, local, undefined, undefined, { context: 2 });
    const lines = patch.split('\n').filter((line) => !line.startsWith('==='));
    return `${path} differs from what the registry has for ${named(units)}; start --replace deploys it:\n${lines.join('\n')}`;
  });
  return `${parts.join('\n')}\n`;
}

const named = (units: readonly string[]): string =>
  units.length === 1 ? units[0]! : `${units.length} units (${units[0]}, ...)`;
