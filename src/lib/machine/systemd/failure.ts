import { constants } from 'node:os';
import type { JobOutcome, UnitStatus } from '../port.ts';
import { type Bus, type BusError, variant } from './dbus.ts';
import type { Invocation } from './journal.ts';
import { SYSTEMD, unitPath } from './names.ts';

/** Why a unit's job failed, and the run whose journal tells more; null where there was none. */
export interface Failure extends Pick<NonNullable<JobOutcome['failure']>, 'result' | 'how'> {
  readonly run: Invocation | null;
}

const JOB_WORDS: Readonly<Record<string, string>> = {
  dependency: 'a unit that it requires failed',
  canceled: 'the job was cancelled by another one',
  assert: 'an Assert...= in its file is not met',
  unsupported: 'this machine does not support that unit type',
};

/** Values of Result= that tell more than the exit status. */
export const RESULT_WORDS: Readonly<Record<string, string>> = {
  timeout: 'it took too long',
  watchdog: 'it missed its watchdog',
  'oom-kill': 'the machine ran out of memory',
  protocol: 'it ended before it was ready',
  'start-limit-hit': 'it was started too often',
  resources: 'systemd could not get what it needs for it',
};

/** Exit statuses that are systemd's own, set before the program ran: systemd.exec(5). */
const SYSTEMD_EXIT: Readonly<Record<number, string>> = {
  200: 'the working directory cannot be entered',
  203: 'the program cannot be executed',
  209: 'standard output cannot be set up',
  216: 'the group is not known',
  217: 'the user is not known',
  218: 'the capabilities cannot be set',
  226: 'the name space cannot be set up',
  233: 'the runtime directory cannot be made',
  238: 'the state directory cannot be made',
};

/** Interfaces by unit type that have a Result property. */
export const RESULT_TYPES: Readonly<Record<string, string>> = {
  service: 'Service',
  socket: 'Socket',
  mount: 'Mount',
  automount: 'Automount',
  swap: 'Swap',
  timer: 'Timer',
  path: 'Path',
  scope: 'Scope',
};

/** Why a unit's job failed, as systemd knows it. */
export async function failureOf(bus: Bus, unit: string, job: string): Promise<Failure> {
  const type = unit.slice(unit.lastIndexOf('.') + 1);
  const kind = RESULT_TYPES[type];
  const ask = (iface: string, name: string) => property(bus, unit, `${SYSTEMD}.${iface}`, name);
  const [invocation, result, code, status, errno, pre, post, pid] = await Promise.all([
    ask('Unit', 'InvocationID'),
    kind ? ask(kind, 'Result') : undefined,
    ...(type === 'service'
      ? ['ExecMainCode', 'ExecMainStatus', 'StatusErrno', 'ExecStartPre', 'ExecStartPost', 'ExecMainPID'].map(
          (name) => ask(kind!, name),
        )
      : []),
  ]);
  const why = typeof result === 'string' && result !== 'success' ? result : job;
  const end =
    endOf(Number(code ?? 0), Number(status ?? 0)) ??
    [...commands(pre), ...commands(post)]
      .map((last) => endOf(...last))
      .find((words) => words !== undefined) ??
    (Number(errno ?? 0) > 0 ? errnoName(Number(errno)) : undefined);
  const words =
    JOB_WORDS[job] ?? RESULT_WORDS[why] ?? (why === 'failed' ? await lacking(ask, bus) : undefined);
  const how = words && end ? `${words} (${end})` : (words ?? end ?? why);
  const id =
    invocation instanceof Uint8Array && invocation.length === 16
      ? Buffer.from(invocation).toString('hex')
      : '';
  // The journal of an earlier run says nothing about a job that never began.
  const run = id === '' || job === 'dependency' ? null : { id, pid: Number(pid ?? 0) };
  return { result: why, how, run };
}

/** A socket, path or timer is refused, without a Result, when the unit that it starts is not there. */
async function lacking(
  ask: (iface: string, name: string) => Promise<unknown>,
  bus: Bus,
): Promise<string | undefined> {
  const triggers = await ask('Unit', 'Triggers');
  if (!Array.isArray(triggers)) return undefined;
  const names = triggers.map(String);
  const states = await Promise.all(names.map((name) => property(bus, name, `${SYSTEMD}.Unit`, 'LoadState')));
  const missing = names.filter((_, i) => states[i] === 'not-found');
  if (missing.length === 0) return undefined;
  return `${missing.join(', ')}, which it starts, is not on this machine; MachineOf keeps units together`;
}

/** A job that systemd refused to create. */
export function refusal(error: BusError, status: UnitStatus): Failure {
  const name = error.dbusName.slice(error.dbusName.lastIndexOf('.') + 1);
  return { result: status.load === 'loaded' ? name : status.load, how: error.message, run: null };
}

/** A property of a unit; undefined where there is none. */
export async function property(bus: Bus, unit: string, iface: string, name: string): Promise<unknown> {
  const answer = await bus
    .call({
      destination: SYSTEMD,
      path: unitPath(unit),
      interface: 'org.freedesktop.DBus.Properties',
      member: 'Get',
      signature: 'ss',
      body: [iface, name],
    })
    .catch(() => []);
  return variant(answer[0]);
}

/** The last (code, status) of each command of an Exec...= property: `a(sasbttttuii)`. */
function commands(value: unknown): [number, number][] {
  return Array.isArray(value) ? value.map((row: unknown[]) => [Number(row.at(-2)), Number(row.at(-1))]) : [];
}

/** How a process ended, in words; undefined where it ended well. `code` is siginfo's si_code: 1 exited, 2 killed, 3 dumped core. */
export function endOf(code: number, status: number): string | undefined {
  if (code === 1 && status !== 0) {
    const words = SYSTEMD_EXIT[status];
    return `exit status ${status}${words ? ` (${words})` : ''}`;
  }
  if (code !== 2 && code !== 3) return undefined;
  const name = Object.entries(constants.signals).find(([, number]) => number === status)?.[0] ?? `${status}`;
  return `signal ${name}${code === 3 ? ' (core dumped)' : ''}`;
}

function errnoName(errno: number): string {
  return Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`;
}
