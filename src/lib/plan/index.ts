export { findCircle } from './cycle.ts';
export { type DiffOptions, diff } from './diff.ts';
export { type Facts, UnitFacts } from './facts.ts';
export { type Inventory, readInventory } from './inventory.ts';
export type * from './model.ts';
export { place } from './place.ts';
export { type ExtraUnit, type Plan, planInventory, planSnapshot } from './plan.ts';
