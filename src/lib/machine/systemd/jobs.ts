import { setTimeout as sleep } from 'node:timers/promises';
import type { JobOutcome, JobWaiting, UnitStatus } from '../port.ts';
import { type Bus, BusError, type Signal } from './dbus.ts';
import { withReasons } from './down.ts';
import { type Failure, failureOf, property, refusal } from './failure.ts';
import { Gather } from './gather.ts';
import { HealthWatch, hasDied, mustBeWatched } from './health.ts';
import type { Invocation } from './journal.ts';
import { MANAGER, unitStatuses } from './manager.ts';
import { SYSTEMD } from './names.ts';

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
 * How long a service that systemd calls started must stay up where nothing longer is asked for: Type=simple is "started"
 * before it has run a line. Enough for a program that is not there or refuses its options; not for one that thinks first.
 */
export const SETTLE_MS = 30;

/** Jobs that end within this time are asked about together. */
const GATHER_MS = 5;

/**
 * Starts, stops or restarts units side by side and says how each job ended; without `block` only queues them. Each
 * outcome is reported as soon as it is known: a unit that takes long holds up no other.
 */
export async function runJobs(
  bus: Bus,
  kind: JobKind,
  units: readonly string[],
  block: boolean,
  readJournals: ReadJournals,
  { minHealthyMs = 0, onOutcome }: JobWaiting = {},
): Promise<JobOutcome[]> {
  if (units.length === 0) return [];
  const starts = block && kind !== 'stop';
  const services = starts && minHealthyMs > 0 ? units.filter(isService) : [];
  // Both listen from before the first job is asked for: a short job is removed before the reply that names it arrives.
  const health = services.length > 0 ? new HealthWatch(bus, services) : null;
  const jobs = block ? watchJobs(bus) : null;
  const examined = new Gather<EndedJob, JobOutcome>(GATHER_MS, (ended) =>
    examine(bus, kind, ended, readJournals),
  );

  const outcomeOf = async (unit: string): Promise<JobOutcome> => {
    const type = health && isService(unit) ? property(bus, unit, `${SYSTEMD}.Service`, 'Type') : null;
    const ended = await runJob(bus, kind, unit, jobs);
    const isWatched = type !== null && ended === 'done' && mustBeWatched(String(await type));
    if (!isWatched || health === null) {
      if (starts && ended === 'done' && isService(unit)) await sleep(SETTLE_MS);
      return await examined.ask({ unit, ended, isWatched: false });
    }
    const until = performance.now() + minHealthyMs;
    for (;;) {
      const isEarly = await health.ends(unit, until - performance.now());
      const outcome = await examined.ask({ unit, ended, isWatched });
      if (!isEarly || outcome.result !== 'done' || outcome.status.active === 'inactive') return outcome;
    }
  };
  try {
    return await Promise.all(
      units.map(async (unit) => {
        const outcome = await outcomeOf(unit);
        onOutcome?.(outcome);
        return outcome;
      }),
    );
  } finally {
    jobs?.end();
    health?.stop();
  }
}

function isService(unit: string): boolean {
  return unit.endsWith('.service');
}

interface EndedJob {
  readonly unit: string;
  readonly ended: Ended;
  /** Since it was started the unit was watched, so that whatever happened to it counts. */
  readonly isWatched: boolean;
}

/** What became of the units of these jobs. */
async function examine(
  bus: Bus,
  kind: JobKind,
  jobs: readonly EndedJob[],
  readJournals: ReadJournals,
): Promise<JobOutcome[]> {
  const seen = await unitStatuses(
    bus,
    jobs.map(({ unit }) => unit),
  );
  // systemd calls a start done, too, when a condition said no.
  const statuses = kind === 'stop' ? seen : await withReasons(bus, seen);
  const failures = await Promise.all(
    jobs.map(async (job, index) => {
      const failure = await failureIn(bus, job.unit, kind, job.ended, statuses[index]!);
      return failure ?? (job.isWatched ? await crashLoop(bus, job.unit) : null);
    }),
  );
  const journals = await journalsOf(failures, readJournals);
  return jobs.map(({ unit, ended }, index) =>
    outcome(unit, ended, statuses[index]!, failures[index] ?? null, journals[index] ?? []),
  );
}

/** The failure of a service that runs again because systemd has restarted it since it was started; null = it has not. */
async function crashLoop(bus: Bus, unit: string): Promise<Failure | null> {
  // A start resets the counter.
  const restarts = Number((await property(bus, unit, `${SYSTEMD}.Service`, 'NRestarts')) ?? 0);
  if (restarts === 0) return null;
  const { run } = await failureOf(bus, unit, 'failed');
  const times = restarts === 1 ? 'once' : `${restarts} times`;
  return { result: 'restarted', how: `it ended, and systemd has restarted it ${times} already`, run };
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
