/** A time as a person reads it: `10 s`, `1.5 s`, `5 min`. */
export function formatSeconds(ms: number): string {
  const seconds = Math.round(ms / 100) / 10;
  return seconds >= 120 && seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}

/** Why a rollout waits or halts whose machines are silent. */
export const noAnswer = (items: string): string => `the machines of ${items} do not answer`;

export const isNoAnswer = (reason: string): boolean => reason.endsWith(' do not answer');
