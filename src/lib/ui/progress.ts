import type { Event, PendingJob } from '../control/event.ts';
import { printable } from '../printable.ts';
import { machineLegend } from './format.ts';

type Pending = Extract<Event, { kind: 'pending' }>;
type Summary = Extract<Event, { kind: 'summary' }>;

/** How long a wait is before a pipe gets its first line about it, and then its next ones, in seconds. */
const FIRST = 5;
const NEXT = [15, 30] as const;
const THEN_EVERY = 60;

const CLEAR = '\r\x1b[K';

interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/**
 * What a command waits for. On a terminal one line that is written over each second; elsewhere a plain line after five
 * seconds and then rarely.
 */
export class Progress {
  readonly #stream: Output;
  #shown = false;
  #next = FIRST;
  #told = false;
  #last = 0;

  constructor(stream: Output) {
    this.#stream = stream;
  }

  /** Removes the line, so that something else can be printed. */
  clear(): void {
    if (this.#shown) this.#stream.write(CLEAR);
    this.#shown = false;
  }

  pending({ jobs }: Pending): void {
    const longest = jobs.reduce((most, { seconds }) => Math.max(most, seconds), 0);
    if (jobs.length === 0) {
      this.#next = FIRST;
      this.clear();
      return;
    }
    this.#say(waitingLine(jobs), longest);
  }

  /** What else is waited for, and for how many seconds by now; a wait that is shorter than the last is another one. */
  waiting(message: string, seconds: number): void {
    if (seconds < this.#last) this.#next = FIRST;
    this.#last = seconds;
    this.#say(`Waiting ${Math.floor(seconds)} s: ${printable(message)}`, seconds);
  }

  #say(line: string, seconds: number): void {
    if (this.#stream.isTTY) {
      const width = Math.max(20, (this.#stream.columns ?? 80) - 1);
      this.#stream.write(`${CLEAR}${line.slice(0, width)}`);
      this.#shown = true;
    } else if (seconds >= this.#next) {
      this.#stream.write(`${line}\n`);
      this.#told = true;
      this.#next = nextAfter(seconds);
    }
  }

  /** Shown to people, and wherever something failed or took long enough to be told. */
  summary(event: Summary): void {
    if (this.#stream.isTTY || event.failed > 0 || this.#told) this.#stream.write(`${summaryLine(event)}\n`);
  }
}

/** When a pipe is told again, after a wait of so many seconds. */
export function nextAfter(seconds: number): number {
  return (
    NEXT.find((at) => at > seconds) ?? Math.max(THEN_EVERY, seconds - (seconds % THEN_EVERY) + THEN_EVERY)
  );
}

/** The job that is waited for longest, and how many others. */
export function waitingLine(jobs: readonly PendingJob[]): string {
  const first = jobs.reduce((most, job) => (job.seconds > most.seconds ? job : most));
  const { unit, machine, job, seconds } = first;
  const more = jobs.length === 1 ? '' : ` and ${jobs.length - 1} more`;
  return `Waiting ${seconds} s for ${unit} on ${machineLegend(machine, false)} (${job} job)${more}`;
}

export function summaryLine({ state, done, failed, machines, seconds }: Summary): string {
  const where = `on ${machines} machine${machines === 1 ? '' : 's'}`;
  const bad = failed === 0 ? '' : `, ${failed} failed`;
  return `${done} of ${done + failed} units ${state}${bad}, ${where}, in ${seconds.toFixed(1)} s`;
}
