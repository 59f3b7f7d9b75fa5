import type { Behaviour } from './definition.ts';
import type { HollowJournal } from './journal.ts';
import type { HollowUnit } from './unit-state.ts';

/** Writes to the journal about units: systemd's own messages, and what their processes print. */
export class UnitJournal {
  readonly #journal: HollowJournal;

  constructor(journal: HollowJournal) {
    this.#journal = journal;
  }

  /** A message from systemd. */
  say(unit: HollowUnit, message: string, priority = 6): void {
    this.#journal.add({
      unit: unit.name,
      invocation: unit.invocation,
      identifier: 'systemd',
      pid: 1,
      message,
      priority,
    });
  }

  /** What a process of the unit prints, now and while it runs. */
  write(unit: HollowUnit, step: Behaviour, pid: number): void {
    const line = { unit: unit.name, invocation: unit.invocation, identifier: 'hollow', pid };
    for (const message of step.lines) this.#journal.add({ ...line, message });
    const { tick } = step;
    if (!tick) return;
    unit.ticker = setInterval(() => this.#journal.add({ ...line, message: tick.line }), tick.everyMs);
    unit.ticker.unref();
  }
}
