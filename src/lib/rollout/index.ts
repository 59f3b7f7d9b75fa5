/**
 * Rollouts: changes of many units or machines, one budgeted, watched batch after another. Pure: a rollout, what was
 * seen and the time go in; what to record and what to do come out. It must not know machines, the registry or a clock.
 */
export { batches } from './batches.ts';
export { allowed, parseLimit } from './budget.ts';
export { holderOf, overlap } from './claims.ts';
export { type HealthFacts, judge } from './health.ts';
export { isInFlight, isLive, isSettled } from './item.ts';
export {
  isOver,
  type Lock,
  type LockNeed,
  released,
  slotHolders,
  taken,
} from './locks.ts';
export { groupOf, isOfMachines, judgeMachine, outsideWindows } from './machines.ts';
export type * from './model.ts';
export { DRAIN_MS } from './model.ts';
export { nameItem } from './names.ts';
export { next } from './next.ts';
export { abort, pause, resume, rollback } from './turn.ts';
export { formatWindow, parseWindow, type Window } from './window.ts';
export { isNoAnswer } from './words.ts';
