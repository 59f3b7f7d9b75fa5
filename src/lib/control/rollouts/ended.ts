import type { StepResult } from '../../rollout/index.ts';

/** How a step ended: well, or why not, with the last lines of the unit. */
export type Ended =
  | { readonly ok: true; readonly result?: StepResult }
  | {
      readonly ok: false;
      readonly why: string;
      readonly journal: readonly string[];
      readonly result?: StepResult;
    };
