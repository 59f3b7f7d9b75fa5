export { findCircle } from './cycle.ts';
export { type Decision, decide, installedOn } from './decide.ts';
export { UnitFacts } from './facts.ts';
export { UnitLinks } from './links.ts';
export type * from './model.ts';

export { type ExtraUnit, planInventory } from './on-paper.ts';
export { place } from './place.ts';
export { type Plan, planOf } from './plan.ts';
export { type StepOptions, steps } from './steps.ts';
