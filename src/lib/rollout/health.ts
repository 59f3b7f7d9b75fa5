import type { Health, Version } from './model.ts';

/** What machines, gateways and checks say of one item. */
export interface HealthFacts {
  /** What the registry wants there; null = it should not be there. */
  readonly wanted: Version | null;
  /** Hash of what is installed there; null = nothing of ours; undefined = the machine did not answer. */
  readonly installed: string | null | undefined;
  /** systemd's words. */
  readonly active: string;
  readonly sub: string;
  /** How often systemd restarted the unit by itself since it was started; null = not a service. */
  readonly restarts: number | null;
  /** A oneshot that is inactive once it has done its work. */
  readonly endsByItself: boolean;
  /** What its own check, the registrator's check and gateways say, each once; `text` in words. */
  readonly checks: readonly { readonly ok: boolean; readonly text: string }[];
}

/** What a failed machine says is `HealthFacts.active` no more. */
const STARTING: ReadonlySet<string> = new Set(['activating', 'deactivating', 'reloading', 'refreshing']);

/** Whether an item is as it should be: installed, active, not restarted, and good by every check. */
export function judge(facts: HealthFacts): Health {
  const { wanted, installed, active, sub, restarts, endsByItself, checks } = facts;
  if (installed === undefined) return { verdict: 'unknown', why: 'its machine does not answer' };
  if (wanted === null || wanted.desired === 'inactive')
    return installed === null
      ? { verdict: 'good', why: 'removed' }
      : { verdict: 'starting', why: 'is not removed yet' };
  if (installed !== wanted.hash) return { verdict: 'starting', why: 'does not have its file yet' };
  if (wanted.desired === 'loaded')
    return active === 'active'
      ? { verdict: 'starting', why: 'is not stopped yet' }
      : { verdict: 'good', why: 'loaded' };

  if (restarts !== null && restarts > 0)
    return {
      verdict: 'sick',
      why: `was restarted ${restarts === 1 ? 'once' : `${restarts} times`} by systemd`,
    };
  if (sub === 'auto-restart')
    return { verdict: 'sick', why: 'ended and is about to be restarted by systemd' };
  if (STARTING.has(active)) return { verdict: 'starting', why: `is ${active}` };
  if (active === 'inactive' && endsByItself) return { verdict: 'good', why: 'has done its work' };
  if (active !== 'active')
    return { verdict: 'sick', why: sub === active ? `is ${active}` : `is ${active} (${sub})` };
  const bad = checks.find(({ ok }) => !ok);
  return bad === undefined ? { verdict: 'good', why: 'active' } : { verdict: 'starting', why: bad.text };
}
