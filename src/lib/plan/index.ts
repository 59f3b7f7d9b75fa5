/**
 * The one planner: what a registry's state and an intent mean for machines (`decide`), and the steps that lead there
 * (`steps`). Pure: it must not ask a machine, write to a store or know who drives it.
 */
export { findCircle } from './cycle.ts';
export { type Decision, decide, installedOn } from './decide.ts';
export { drain, type Leaver } from './drain.ts';
export { UnitFacts } from './facts.ts';
export { endsByItself } from './finished-oneshots.ts';
export { impossibleOn } from './impossible.ts';
export { UnitLinks } from './links.ts';
export type * from './model.ts';
export { hashOn } from './model.ts';

export { type ExtraUnit, planInventory } from './on-paper.ts';
export { place } from './place.ts';
export { type Plan, planOf } from './plan.ts';
export { type Move, mayMove, rebalance } from './rebalance.ts';
export { type StepOptions, steps } from './steps.ts';
