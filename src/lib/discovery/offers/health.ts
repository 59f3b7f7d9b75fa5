/** What a probe found. */
export interface Answer {
  readonly good: boolean;
  /** A person's words: `HTTP code 500`, `connection refused`. */
  readonly said: string;
  /** Nothing listens: what a container that is just starting says. */
  readonly refused?: boolean;
}

export interface Health {
  /** null = not known yet: too few answers, either way. */
  readonly up: boolean | null;
  /** The last answer, and how many of its kind came in a row. */
  readonly last: boolean | null;
  readonly run: number;
}

export const UNKNOWN: Health = { up: null, last: null, run: 0 };

/** Health after one more answer: `rise` good ones in a row make it well, `fall` bad ones sick. */
export function afterAnswer(health: Health, good: boolean, limits: { rise: number; fall: number }): Health {
  const run = health.last === good ? health.run + 1 : 1;
  const up = run >= (good ? limits.rise : limits.fall) ? good : health.up;
  return { up, last: good, run };
}
