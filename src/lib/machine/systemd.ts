import { type Bus, BusError, type Signal, variant } from './dbus.ts';
import { type Failure, failureOf, refusal } from './failure.ts';
import type { JobOutcome, UnitStatus } from './port.ts';
import { type ReadJournal, SYSTEMD, unitPath } from './systemd-names.ts';

const MANAGER = {
  destination: SYSTEMD,
  path: '/org/freedesktop/systemd1',
  interface: `${SYSTEMD}.Manager`,
} as const;

const JOB_REMOVED = `type='signal',sender='${SYSTEMD}',interface='${SYSTEMD}.Manager',member='JobRemoved'`;
const UNIT_CHANGED = `type='signal',sender='${SYSTEMD}',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',path_namespace='/org/freedesktop/systemd1/unit',arg0='${SYSTEMD}.Unit'`;

export type JobKind = 'start' | 'stop' | 'restart';
const METHOD = { start: 'StartUnit', stop: 'StopUnit', restart: 'RestartUnit' } as const;

/** Job results after which the unit is not what was asked for; `skipped` means a condition said no, which is fine. */
const BAD_RESULTS = new Set([
  'failed',
  'canceled',
  'timeout',
  'dependency',
  'assert',
  'unsupported',
  'once',
  'collected',
]);

/** How long a service that systemd calls started must stay up: Type=simple is "started" before it has run a line. */
export const SETTLE_MS = 100;

/** States of units, in the order asked; a name that systemd does not know has load `not-found`. */
export async function unitStatuses(bus: Bus, units: readonly string[]): Promise<UnitStatus[]> {
  // A template has no state, and one in the list would make systemd refuse the whole question.
  const askable = units.filter((unit) => !unit.includes('@.'));
  if (askable.length === 0) return units.map(notFound);
  const [rows] = await bus.call({ ...MANAGER, member: 'ListUnitsByNames', signature: 'as', body: [askable] });
  const answers = (rows as unknown[][]).map((row) => ({
    unit: String(row[0]),
    load: String(row[2]),
    active: String(row[3]),
    sub: String(row[4]),
  }));
  const byName = new Map(answers.map((answer) => [answer.unit, answer]));
  // An alias is answered under its real name; the order is that of the question.
  if (answers.length === askable.length) {
    for (const [index, answer] of answers.entries()) {
      const asked = askable[index];
      if (asked !== undefined) byName.set(asked, { ...answer, unit: asked });
    }
  }
  return units.map((unit) => byName.get(unit) ?? notFound(unit));
}

function notFound(unit: string): UnitStatus {
  return { unit, load: 'not-found', active: 'inactive', sub: 'dead' };
}

/** daemon-reload; answers when it is done. */
export async function reload(bus: Bus): Promise<void> {
  await bus.call({ ...MANAGER, member: 'Reload' });
}

/** Makes the links that [Install] asks for; units without such a section are left as they are. */
export async function enableUnits(bus: Bus, units: readonly string[]): Promise<void> {
  if (units.length === 0) return;
  await bus.call({ ...MANAGER, member: 'EnableUnitFiles', signature: 'asbb', body: [units, false, false] });
}

/** Starts, stops or restarts units side by side and tells how each job ended; without `block` only queues them. */
export async function runJobs(
  bus: Bus,
  kind: JobKind,
  units: readonly string[],
  block: boolean,
  readJournal: ReadJournal,
): Promise<JobOutcome[]> {
  if (units.length === 0) return [];
  const watch = block ? watchJobs(bus, kind !== 'stop') : null;
  try {
    const results = await Promise.all(units.map((unit) => runJob(bus, kind, unit, watch)));
    if (watch && kind !== 'stop') await watch.settle(units.filter((_, index) => results[index] === 'done'));
    const statuses = await unitStatuses(bus, units);
    return await Promise.all(
      units.map((unit, index) => outcome(bus, unit, results[index]!, statuses[index]!, watch, readJournal)),
    );
  } finally {
    watch?.end();
  }
}

/** A job's result, or the error that kept it from being made. */
type Ended = string | BusError;

async function runJob(bus: Bus, kind: JobKind, unit: string, watch: JobWatch | null): Promise<Ended> {
  try {
    // Clears the start limit: a person who asks for a start means it, however often systemd has tried.
    if (kind !== 'stop') {
      bus
        .call({ ...MANAGER, member: 'ResetFailedUnit', signature: 's', body: [unit] })
        .catch(() => undefined);
    }
    const [job] = await bus.call({
      ...MANAGER,
      member: METHOD[kind],
      signature: 'ss',
      body: [unit, 'replace'],
    });
    return watch ? await watch.result(String(job)) : 'queued';
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    if (kind === 'stop' && error.dbusName === `${SYSTEMD}.NoSuchUnit`) return 'done';
    return error;
  }
}

async function outcome(
  bus: Bus,
  unit: string,
  ended: Ended,
  status: UnitStatus,
  watch: JobWatch | null,
  readJournal: ReadJournal,
): Promise<JobOutcome> {
  if (ended instanceof BusError) return { unit, result: 'failed', status, failure: refusal(ended, status) };
  const died = ended === 'done' && (watch?.died(unit, status) ?? false);
  if (!died && !BAD_RESULTS.has(ended)) return { unit, result: ended, status };
  const result = died ? 'failed' : ended;
  const failure: Failure = await failureOf(bus, unit, result, readJournal);
  return { unit, result, status, failure };
}

function hasDied(status: { readonly active: string; readonly sub: string }): boolean {
  return status.active === 'failed' || status.sub === 'auto-restart' || status.sub === 'auto-restart-queued';
}

interface JobWatch {
  result(job: string): Promise<string>;
  died(unit: string, status: UnitStatus): boolean;
  settle(units: readonly string[]): Promise<void>;
  end(): void;
}

/**
 * Listens from before the first job is asked for: a short job is removed before the reply that names it arrives.
 * `starting`: also note units that fail after their job was done.
 */
function watchJobs(bus: Bus, starting: boolean): JobWatch {
  const ended = new Map<string, string>();
  const waiting = new Map<string, (result: string) => void>();
  const changed = new Set<string>();
  const dead = new Set<string>();
  const jobs = (signal: Signal) => {
    if (signal.member !== 'JobRemoved') return;
    const job = String(signal.body[1]);
    const result = String(signal.body[3]);
    ended.set(job, result);
    waiting.get(job)?.(result);
  };
  const states = (signal: Signal) => {
    if (signal.member !== 'PropertiesChanged' || signal.body[0] !== `${SYSTEMD}.Unit`) return;
    const now = new Map(
      (signal.body[1] as [string, unknown][]).map(([name, value]) => [name, String(variant(value))]),
    );
    changed.add(signal.path);
    const active = now.get('ActiveState') ?? '';
    if (hasDied({ active, sub: now.get('SubState') ?? '' })) dead.add(signal.path);
  };
  const stops = [bus.on(JOB_REMOVED, jobs), ...(starting ? [bus.on(UNIT_CHANGED, states)] : [])];
  // AlreadySubscribed is the one possible refusal.
  bus.call({ ...MANAGER, member: 'Subscribe' }).catch(() => undefined);
  return {
    result: (job) => {
      const known = ended.get(job);
      if (known !== undefined) return Promise.resolve(known);
      return new Promise((resolve, reject) => {
        waiting.set(job, resolve);
        bus.closed.then(reject, reject);
      });
    },
    died: (unit, status) => starting && (dead.has(unitPath(unit)) || hasDied(status)),
    settle: async (units) => {
      // A unit that has not changed was running before: nothing to wait for.
      const fresh = units.filter((unit) => unit.endsWith('.service') && changed.has(unitPath(unit)));
      const statuses = await unitStatuses(bus, fresh);
      if (statuses.some((status) => status.sub === 'running')) {
        await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      }
    },
    end: () => {
      for (const stop of stops) stop();
    },
  };
}

/** A removed unit that had failed would stay listed as `not-found failed` until somebody resets it. */
export async function forgetUnits(bus: Bus, units: readonly string[]): Promise<void> {
  const reset = (unit: string) =>
    bus
      .call({ ...MANAGER, member: 'ResetFailedUnit', signature: 's', body: [unit] })
      .catch((error: unknown) => {
        // systemd answers so when it has forgotten the unit already.
        if (!(error instanceof BusError)) throw error;
      });
  await Promise.all(units.map(reset));
}
