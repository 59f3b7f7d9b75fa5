/**
 * What every process that runs for long needs, each part once: follow a source of states, hold a lease, wake a loop,
 * say a problem once and its end once, write log lines. It must not know what any of those processes does: nothing in
 * here is about vulcand, containers, HAProxy or units.
 */
export { Backoff, pause } from './backoff.ts';
export { follow, type Source, untilDone } from './follow.ts';
export { LeaseHolder } from './lease-holder.ts';
export { localMachineId } from './machine-id.ts';
export { Outage } from './outage.ts';
export { ProblemList } from './problem-list.ts';
export {
  inJournal,
  jsonLine,
  plainLine,
  type Report,
  Reporter,
  type Severity,
  textLine,
} from './reporter.ts';
export { type Ready, readinessOf } from './systemd-notify.ts';
export { together } from './together.ts';
export { Wakeup } from './wakeup.ts';
