import type { Event } from '../control/event.ts';
import { type Sentence, sentences } from './events.ts';
import { machineLegend } from './format.ts';
import { grouped, type Remark, subjectOf } from './group.ts';

/** How long a complaint may wait for others that say the same, in milliseconds. */
const GATHER_MS = 200;

/** Prints what happens as it happens. Complaints about units are gathered for a moment: equal ones become one. */
export class Teller {
  readonly #print: (sentence: Sentence) => void;
  #held: Remark[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(print: (sentence: Sentence) => void) {
    this.#print = print;
  }

  tell(event: Event): void {
    const remark = remarkOf(event);
    if (remark === null) {
      for (const sentence of sentences(event)) this.#print(sentence);
      return;
    }
    this.#held.push(remark);
    this.#timer ??= setTimeout(() => this.flush(), GATHER_MS);
  }

  /** Prints what is still held back. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const lines of grouped(this.#held.splice(0)))
      for (const text of lines) this.#print({ to: 'stderr', text });
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
    case 'failed':
      return { lines: lines(), about: event.unit, besides: [machineLegend(event.machine, false)] };
    case 'warning':
      return { lines: lines(), about: subjectOf(event.message) };
    default:
      return null;
  }
}
