import type { Verb } from '../event.ts';
import type { Session } from '../session.ts';
import type { Waiting } from './converge.ts';

/** What a person can say about how a change of units is done. */
export interface VerbOptions {
  readonly block: boolean;
  /** Windows of 2 s to wait; 0 = as long as it takes. */
  readonly attempts: number;
}

const ATTEMPT_MS = 2000;

export function waiting(options: VerbOptions): Waiting {
  return { block: options.block, timeoutMs: options.attempts * ATTEMPT_MS };
}

/** Reports global units, and units that are not waited for, as triggered. */
export function reportTriggered(
  session: Session,
  names: readonly string[],
  globals: { has(unit: string): boolean },
  verb: Verb,
  block: boolean,
): void {
  for (const unit of names) {
    const global = globals.has(unit);
    if (global || !block) session.emit({ kind: 'triggered', unit, verb, global });
  }
}
