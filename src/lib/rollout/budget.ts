import { ClusterError, EXIT } from '../error.ts';
import type { Limit } from './model.ts';

/**
 * A limit as a person writes it: `2` or `25%`.
 * @throws `bad-budget` (exit 64) for what is neither, for 0, and for more than 100 %.
 */
export function parseLimit(text: string): Limit {
  const match = /^(\d{1,9})(%?)$/.exec(text);
  if (match === null)
    throw badBudget(`--max-unavailable ${JSON.stringify(text)} is no number and no percentage`);
  const number = Number(match[1]);
  const percent = match[2] === '%';
  if (number === 0) throw badBudget(`--max-unavailable ${text} lets no unit be changed at all`);
  if (percent && number > 100) throw badBudget(`--max-unavailable ${text} is more than all units`);
  return percent ? { percent: number } : { count: number };
}

/** How many of `total` items may be unavailable at the same time: at least 1. */
export function allowed(limit: Limit, total: number): number {
  if ('count' in limit) return limit.count;
  return Math.max(1, Math.floor((total * limit.percent) / 100));
}

function badBudget(message: string): ClusterError {
  return new ClusterError('bad-budget', message, {
    hint: 'give a number from 1, such as 2, or a percentage from 1% to 100%; nothing was changed',
    exit: EXIT.usage,
  });
}
