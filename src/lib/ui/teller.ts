import type { Event } from '../control/event.ts';
import { type Sentence, sentences } from './events.ts';
import { machineLegend } from './format.ts';
import { grouped, type Remark, subjectOf } from './group.ts';
import type { Progress } from './progress.ts';

/** How long a complaint may wait for others that say the same, in milliseconds. */
const GATHER_MS = 200;

/** Prints what happens as it happens. Complaints about units are gathered for a moment: equal ones become one. */
export class Teller {
  readonly #progress: Progress;
  readonly #print: (sentence: Sentence) => void;
  #held: Remark[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(progress: Progress, print: (sentence: Sentence) => void) {
    this.#progress = progress;
    this.#print = print;
  }

  tell(event: Event): void {
    if (event.kind === 'pending') {
      this.#progress.pending(event);
      return;
    }
    if (event.kind === 'rollout-waiting') {
      this.#progress.waiting(event.message, event.seconds);
      return;
    }
    if (event.kind === 'summary') {
      this.end();
      this.#progress.summary(event);
      return;
    }
    const remark = remarkOf(event);
    if (remark === null) {
      this.#say(sentences(event));
      return;
    }
    this.#held.push(remark);
    this.#timer ??= setTimeout(() => this.#flush(), GATHER_MS);
  }

  /** Prints what is still held back, and ends the line that says what is waited for. */
  end(): void {
    this.#flush();
    this.#progress.clear();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lines = grouped(this.#held.splice(0)).flat();
    this.#say(lines.map((text) => ({ to: 'stderr', text })));
  }

  #say(all: readonly Sentence[]): void {
    if (all.length > 0) this.#progress.clear();
    for (const sentence of all) this.#print(sentence);
  }
}

/** Null for an event that is printed at once. */
function remarkOf(event: Event): Remark | null {
  const lines = (): string[] => sentences(event).map(({ text }) => text);
  switch (event.kind) {
    case 'differs':
    case 'unreplaceable':
    case 'refused':
      return { lines: lines(), about: event.unit };
    case 'held':
    case 'upheld':
    case 'failed':
      return { lines: lines(), about: event.unit, besides: [machineLegend(event.machine, false)] };
    case 'warning':
      return { lines: lines(), about: subjectOf(event.message) };
    default:
      return null;
  }
}
