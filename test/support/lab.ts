import { afterAll, beforeAll } from 'vitest';
import { type Ran, type Workplace, workplace } from './cli.ts';

/** A lab for the tests of one file: made before them, with what `prepare` adds, and gone after them. */
export function withLab(
  name: string,
  flags: readonly string[],
  prepare: (at: Workplace, up: Ran) => Promise<void>,
): void {
  let at: Workplace | undefined;
  beforeAll(async () => {
    at = await workplace();
    await prepare(at, await at.ok('lab', 'up', ...flags, '--name', name));
  }, 600_000);
  afterAll(async () => {
    await at?.ok('lab', 'down', '--name', name);
    await at?.remove();
  }, 120_000);
}
