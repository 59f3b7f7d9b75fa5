import { splitUnitName } from '../../unit/index.ts';
import type { JobOutcome, UnitStatus } from '../port.ts';
import { type Bus, BusError, type Signal } from './dbus.ts';
import { type Failure, failureOf, refusal } from './failure.ts';
import { type ReadJournal, SYSTEMD } from './names.ts';

const MANAGER = {
  destination: SYSTEMD,
  path: '/org/freedesktop/systemd1',
  interface: `${SYSTEMD}.Manager`,
} as const;

const JOB_REMOVED = `type='signal',sender='${SYSTEMD}',interface='${SYSTEMD}.Manager',member='JobRemoved'`;

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

/**
 * How long a service that systemd calls started must stay up: Type=simple is "started" before it has run a line. Long
 * enough to catch a program that is not there or refuses its options; not one that thinks first.
 */
export const SETTLE_MS = 30;

/** States of units, in the order asked; a name that systemd does not know has load `not-found`. */
export async function unitStatuses(bus: Bus, units: readonly string[]): Promise<UnitStatus[]> {
  // A template has no state, and one in the list would make systemd refuse the whole question.
  const askable = units.filter((unit) => splitUnitName(unit)?.isTemplate !== true);
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
  const watch = block ? watchJobs(bus) : null;
  try {
    const results = await Promise.all(units.map((unit) => runJob(bus, kind, unit, watch)));
    const settles = units.some((unit, index) => unit.endsWith('.service') && results[index] === 'done');
    if (block && kind !== 'stop' && settles) await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const statuses = await unitStatuses(bus, units);
    return await Promise.all(
      units.map((unit, index) => outcome(bus, unit, kind, results[index]!, statuses[index]!, readJournal)),
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
      bus.tell({ ...MANAGER, member: 'ResetFailedUnit', signature: 's', body: [unit] });
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
  kind: JobKind,
  ended: Ended,
  status: UnitStatus,
  readJournal: ReadJournal,
): Promise<JobOutcome> {
  if (ended instanceof BusError) return { unit, result: 'failed', status, failure: refusal(ended, status) };
  const died = ended === 'done' && kind !== 'stop' && hasDied(status);
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
  end(): void;
}

/** Listens from before the first job is asked for: a short job is removed before the reply that names it arrives. */
function watchJobs(bus: Bus): JobWatch {
  const ended = new Map<string, string>();
  const waiting = new Map<string, (result: string) => void>();
  const jobs = (signal: Signal) => {
    if (signal.member !== 'JobRemoved') return;
    const job = String(signal.body[1]);
    const result = String(signal.body[3]);
    ended.set(job, result);
    waiting.get(job)?.(result);
  };
  const stop = bus.on(JOB_REMOVED, jobs);
  bus.tell({ ...MANAGER, member: 'Subscribe' });
  return {
    result: (job) => {
      const known = ended.get(job);
      if (known !== undefined) return Promise.resolve(known);
      return new Promise((resolve, reject) => {
        waiting.set(job, resolve);
        bus.closed.then(reject, reject);
      });
    },
    end: stop,
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
