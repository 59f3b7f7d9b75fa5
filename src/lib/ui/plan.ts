import type { Plan } from '../plan/index.ts';
import type { Step } from '../plan/model.ts';
import { printable } from '../printable.ts';
import { refusal } from './events.ts';
import { planMachine } from './format.ts';
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

const line = (text: string): string => `${printable(text)}\n`;

/** A whole plan: what would be done, what cannot be, what looks odd. `silent` machines did not answer. */
export function planText(plan: Plan, silent: number): string {
  const parts: string[] = [];
  if (plan.steps.length > 0) parts.push(stepLines(plan.steps));
  for (const { unit, reasons } of plan.refusals) parts.push(refusal(unit, reasons).map(line).join(''));
  for (const warning of plan.warnings) parts.push(line(`WARNING: ${warning}`));
  if (plan.steps.length === 0 && plan.refusals.length === 0) {
    parts.push(silent > 0 ? 'Nothing to do on the machines that answer.\n' : 'Nothing to do.\n');
  }
  return parts.join('\n');
}
