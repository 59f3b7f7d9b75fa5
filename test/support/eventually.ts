import { setTimeout as sleep } from 'node:timers/promises';

/** Asks until it holds. @throws when it does not within that time. */
export async function eventually(what: string, holds: () => unknown, withinMs = 5000): Promise<void> {
  for (const until = Date.now() + withinMs; Date.now() < until; await sleep(10)) if (await holds()) return;
  throw new Error(`not within ${withinMs} ms: ${what}`);
}
