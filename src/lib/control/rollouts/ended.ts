import type { StepResult } from '../../rollout/index.ts';
import type { Event } from '../event.ts';

/** How a step ended: well, or why not, with the last lines of the unit. */
export type Ended =
  | { readonly ok: true; readonly result?: StepResult }
  | {
      readonly ok: false;
      readonly why: string;
      readonly journal: readonly string[];
      readonly result?: StepResult;
    };

/** What an event says of units that are not as they were asked to be. */
export function failureOf(
  event: Event,
): { units: readonly string[]; why: string; journal: readonly string[] } | null {
  if (event.kind === 'failed')
    return { units: [event.unit], why: `failed: ${event.how}`, journal: event.journal };
  if (event.kind === 'held') return { units: [event.unit], why: `is not started: ${event.why}`, journal: [] };
  return null;
}
