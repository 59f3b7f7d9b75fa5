/** What a probe found. */
export interface ProbeResult {
  readonly good: boolean;
  /** The outcome for people: `HTTP code 500`, `connection refused`. */
  readonly text: string;
  /** Nothing listens, as in a container that is just starting. */
  readonly refused?: boolean;
}

export interface Health {
  /** null = not known yet: too few results either way. */
  readonly up: boolean | null;
  /** The last result, and how many of its kind came in a row. */
  readonly last: boolean | null;
  readonly run: number;
}

export const UNKNOWN: Health = { up: null, last: null, run: 0 };

/** Health after one more result: `rise` good ones in a row make it healthy, `fall` bad ones unhealthy. */
export function afterProbe(health: Health, good: boolean, limits: { rise: number; fall: number }): Health {
  const run = health.last === good ? health.run + 1 : 1;
  const up = run >= (good ? limits.rise : limits.fall) ? good : health.up;
  return { up, last: good, run };
}
