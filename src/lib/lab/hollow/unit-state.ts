import type { Behaviour, UnitDefinition } from './definition.ts';

export type JobType = 'start' | 'stop' | 'restart';

/** A queued or running job; `settle` resolves `done` with systemd's job result. */
export interface HollowJob {
  readonly id: number;
  readonly type: JobType;
  readonly unit: string;
  readonly done: Promise<string>;
  readonly settle: (result: string) => void;
  result: string | null;
}

/** What a simulated systemd knows of the files on its machine. */
export interface UnitFiles {
  /** Where a unit's file is and what it says; null when there is none. Text null = masked. */
  readonly readUnit: (name: string) => { path: string; text: string | null } | null;
  /** Units that links in `NAME.wants/` pull in. */
  readonly wantedBy: (target: string) => string[];
  /** Whether there is something at this path. */
  readonly exists: (path: string) => boolean;
}

/** How a simulated process ended. */
export interface ProcessEnd {
  readonly code: number;
  readonly signal: string | null;
}

/** A ConditionPathExists= as the last start found it. */
export interface HollowCondition {
  readonly path: string;
  readonly negate: boolean;
  readonly isMet: boolean;
}

/** One unit in the simulated systemd's memory. */
export interface HollowUnit {
  readonly name: string;
  path: string;
  def: UnitDefinition;
  load: string;
  active: string;
  sub: string;
  result: string;
  /** CLD_EXITED 1, CLD_KILLED 2, as siginfo has them. */
  mainCode: number;
  mainStatus: number;
  /** Exit status of the ExecStartPre= command that failed; 0 when none did. */
  preStatus: number;
  mainPid: number;
  invocation: string;
  restarts: number;
  autoRestarts: number[];
  since: number;
  /** What the last start found of the conditions, and when; 0 = never. */
  conditions: readonly HollowCondition[];
  conditionAt: number;
  /** When it last left `active` and when it last came to rest; 0 = never. */
  activeExit: number;
  inactiveEnter: number;
  job: HollowJob | null;
  timer: NodeJS.Timeout | null;
  ticker: NodeJS.Timeout | null;
}

export type SystemdSignal =
  | {
      readonly kind: 'job-new' | 'job-removed';
      readonly id: number;
      readonly unit: string;
      /** Empty for a new one. */
      readonly result: string;
    }
  | { readonly kind: 'changed'; readonly unit: HollowUnit }
  | { readonly kind: 'unit-new'; readonly unit: string }
  | { readonly kind: 'unit-removed'; readonly unit: string }
  | { readonly kind: 'reloading'; readonly active: boolean };

/** A D-Bus error by the name that the real systemd gives it. */
export class BusError extends Error {
  readonly errorName: string;

  constructor(errorName: string, message: string) {
    super(message);
    this.errorName = errorName;
  }
}

const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGTERM: 15,
};

const CLEAN = new Set(['SIGHUP', 'SIGINT', 'SIGPIPE', 'SIGTERM']);

/** Whether systemd counts this end as a success. */
export function isClean(def: UnitDefinition, end: ProcessEnd): boolean {
  return end.signal ? CLEAN.has(end.signal) : end.code === 0 || def.successCodes.includes(end.code);
}

/** ExecMainStatus of such an end. */
export function statusOf(end: ProcessEnd): number {
  return end.signal ? (SIGNALS[end.signal] ?? 9) : end.code;
}

/** systemd's words for an end that is not a success. */
export function howItExited(end: ProcessEnd): string {
  if (end.signal) return `code=killed, status=${statusOf(end)}/${end.signal.slice(3)}`;
  const name = end.code === 203 ? 'EXEC' : end.code === 1 ? 'FAILURE' : 'n/a';
  return `code=exited, status=${end.code}/${name}`;
}

/** Whether `Restart=` brings a service back after such an end. */
export function comesBack(def: UnitDefinition, end: ProcessEnd): boolean {
  const clean = isClean(def, end);
  switch (def.restart) {
    case 'always':
      return true;
    case 'on-success':
      return clean;
    case 'on-failure':
      return !clean;
    case 'on-abnormal':
    case 'on-abort':
      return !clean && end.signal !== null;
    default:
      return false;
  }
}

/** SubState of an active unit that is not a service. */
export function activeSub(name: string): string {
  const kinds: Record<string, string> = {
    socket: 'listening',
    timer: 'waiting',
    path: 'waiting',
    mount: 'mounted',
    automount: 'waiting',
  };
  return kinds[name.slice(name.lastIndexOf('.') + 1)] ?? 'active';
}

/** The first of these that fails in a way that counts, if any. */
export function firstFailure(commands: readonly Behaviour[], def: UnitDefinition): Behaviour | undefined {
  return commands.find((c) => !c.runs && !c.forgiven && !isClean(def, { code: c.code, signal: null }));
}

/** Whether a unit of this definition stops and restarts with that other one. */
export function hangsOn(def: UnitDefinition, name: string): boolean {
  return [...def.requires, ...def.bindsTo, ...def.partOf].includes(name);
}

/** What systemd answers to a job that it will not queue; null for one that it will. */
export function refusal({ name, load, active }: HollowUnit, type: JobType): BusError | null {
  if (type === 'stop' && active !== 'inactive') return null;
  if (load === 'not-found') {
    const why = type === 'stop' ? `Unit ${name} not loaded.` : `Unit ${name} not found.`;
    return new BusError('org.freedesktop.systemd1.NoSuchUnit', why);
  }
  if (type === 'stop') return null;
  if (load === 'masked')
    return new BusError('org.freedesktop.systemd1.UnitMasked', `Unit ${name} is masked.`);
  if (load === 'bad-setting')
    return new BusError(
      'org.freedesktop.systemd1.BadUnitSetting',
      `Unit ${name} has a bad unit file setting.`,
    );
  return null;
}

/** Cancels what is scheduled for this unit. */
export function forgetTimers(unit: HollowUnit): void {
  if (unit.timer) clearTimeout(unit.timer);
  if (unit.ticker) clearInterval(unit.ticker);
  unit.timer = unit.ticker = null;
}
