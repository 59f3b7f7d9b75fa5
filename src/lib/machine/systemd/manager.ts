import { splitUnitName } from '../../unit/index.ts';
import type { JobOutcome, UnitStatus } from '../port.ts';
import { type Bus, BusError, type Signal } from './dbus.ts';
import { type Failure, failureOf, refusal } from './failure.ts';
import type { Invocation } from './journal.ts';
import { MANAGER_PATH, SYSTEMD } from './names.ts';

export const MANAGER = {
  destination: SYSTEMD,
  path: MANAGER_PATH,
  interface: `${SYSTEMD}.Manager`,
} as const;

/** Reads the last journal lines of each of these runs. */
export type ReadJournals = (runs: readonly Invocation[]) => Promise<readonly (readonly string[])[]>;

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
  return await namedUnits(bus, units, (named) => named.map(({ status }) => status));
}

/** A row of systemd's list: the unit's state under the name that was asked for, and its real name. */
export interface NamedUnit {
  readonly id: string;
  readonly status: UnitStatus;
}

/** Asks for units by name; `read` gets one row for each, in the order asked, at the moment that Bus.call says. */
export async function namedUnits<Value>(
  bus: Bus,
  units: readonly string[],
  read: (units: readonly NamedUnit[]) => Value,
): Promise<Value> {
  // A template has no state, and one in the list would make systemd refuse the whole question.
  const askable = units.filter((unit) => splitUnitName(unit)?.isTemplate !== true);
  if (askable.length === 0) return read(units.map(unknownUnit));
  const call = { ...MANAGER, member: 'ListUnitsByNames', signature: 'as', body: [askable] };
  return await bus.call(call, ([rows]) => {
    const answers = rowsOf(rows);
    const byName = new Map(answers.map((answer) => [answer.unit, { id: answer.unit, status: answer }]));
    // An alias is answered under its real name; the order is that of the question.
    if (answers.length === askable.length) {
      for (const [index, answer] of answers.entries()) {
        const asked = askable[index];
        if (asked !== undefined) byName.set(asked, { id: answer.unit, status: { ...answer, unit: asked } });
      }
    }
    return read(units.map((unit) => byName.get(unit) ?? unknownUnit(unit)));
  });
}

/** Rows of ListUnits and its kind: `a(ssssssouso)`. */
export function rowsOf(rows: unknown): UnitStatus[] {
  return (rows as unknown[][]).map((row) => ({
    unit: String(row[0]),
    load: String(row[2]),
    active: String(row[3]),
    sub: String(row[4]),
  }));
}

function unknownUnit(unit: string): NamedUnit {
  return { id: unit, status: { unit, load: 'not-found', active: 'inactive', sub: 'dead' } };
}

/** daemon-reload; resolves when it is done. */
export async function reload(bus: Bus): Promise<void> {
  await bus.call({ ...MANAGER, member: 'Reload' });
}

/** Makes the links that [Install] asks for; units without such a section are left as they are. */
export async function enableUnits(bus: Bus, units: readonly string[]): Promise<void> {
  if (units.length === 0) return;
  await bus.call({ ...MANAGER, member: 'EnableUnitFiles', signature: 'asbb', body: [units, false, false] });
}

/** Starts, stops or restarts units side by side and says how each job ended; without `block` only queues them. */
export async function runJobs(
  bus: Bus,
  kind: JobKind,
  units: readonly string[],
  block: boolean,
  readJournals: ReadJournals,
): Promise<JobOutcome[]> {
  if (units.length === 0) return [];
  const watch = block ? watchJobs(bus) : null;
  try {
    const results = await Promise.all(units.map((unit) => runJob(bus, kind, unit, watch)));
    const settles = units.some((unit, index) => unit.endsWith('.service') && results[index] === 'done');
    if (block && kind !== 'stop' && settles) await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const statuses = await unitStatuses(bus, units);
    const failures = await Promise.all(
      units.map((unit, index) => failureIn(bus, unit, kind, results[index]!, statuses[index]!)),
    );
    const journals = await journalsOf(failures, readJournals);
    return units.map((unit, index) =>
      outcome(unit, results[index]!, statuses[index]!, failures[index] ?? null, journals[index] ?? []),
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

/** Why a unit is not what was asked for; null where it is. */
async function failureIn(
  bus: Bus,
  unit: string,
  kind: JobKind,
  ended: Ended,
  status: UnitStatus,
): Promise<Failure | null> {
  if (ended instanceof BusError) return refusal(ended, status);
  if (BAD_RESULTS.has(ended)) return await failureOf(bus, unit, ended);
  const died = ended === 'done' && kind !== 'stop' && hasDied(status);
  return died ? await failureOf(bus, unit, 'failed') : null;
}

/** The journal of each failure, in order, asked for together. */
async function journalsOf(
  failures: readonly (Failure | null)[],
  read: ReadJournals,
): Promise<(readonly string[])[]> {
  const runs = failures.flatMap((failure) => failure?.run ?? []);
  const texts = runs.length === 0 ? [] : await read(runs);
  let next = 0;
  return failures.map((failure) => (failure?.run ? (texts[next++] ?? []) : []));
}

function outcome(
  unit: string,
  ended: Ended,
  status: UnitStatus,
  failure: Failure | null,
  journal: readonly string[],
): JobOutcome {
  const result = typeof ended === 'string' && BAD_RESULTS.has(ended) ? ended : 'failed';
  if (failure !== null)
    return { unit, result, status, failure: { result: failure.result, how: failure.how, journal } };
  return { unit, result: String(ended), status };
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
