import { EXIT } from '../error.ts';
import type { Decision } from './decide.ts';
import { UnitFacts } from './facts.ts';
import type { PlacementResult, Step } from './model.ts';
import { warningsOf } from './warnings.ts';

/** The answer of `cluster plan`: what would be where, what cannot be anywhere, and the steps to get there. */
export interface Plan extends PlacementResult {
  readonly steps: readonly Step[];
  readonly warnings: readonly string[];
  /** 0 nothing to do, 2 changes, 1 refusals. Not part of the JSON. */
  exit(): number;
}

/** A decision and the steps that follow from it, as a person reads them. */
export function planOf(decision: Decision, steps: readonly Step[], facts: UnitFacts = new UnitFacts()): Plan {
  const { result } = decision;
  const exit = () => (result.refusals.length > 0 ? EXIT.failed : steps.length > 0 ? EXIT.changes : EXIT.ok);
  const plan: Plan = { ...result, steps, warnings: warningsOf(decision, facts), exit };
  return Object.defineProperty(plan, 'exit', { enumerable: false });
}
