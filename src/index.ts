import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { main as runLine } from './cli/main.ts';
import { makeManifest } from './cli/manifest.ts';
import type { Manifest } from './cli/model.ts';
import { COMMANDS } from './commands.gen.ts';

/** Runs one command line; see cli/main.ts. */
export const main = (line: readonly string[]): Promise<void> => runLine(COMMANDS, line);

/** What the build writes beside the program. */
export const manifest = (): Promise<Manifest> => makeManifest(COMMANDS);

/**
 * Runs a few commands on an empty store, printing nothing, so that the build can keep what V8 compiles for them. What
 * other commands need is kept when they first run.
 */
export async function warm(): Promise<void> {
  const store = await mkdtemp(path.join(tmpdir(), 'cluster-build-'));
  const { write } = process.stdout;
  process.stdout.write = () => true;
  try {
    const words = ['version', 'help', 'list-machines', 'list-units', 'list-unit-files'];
    for (const word of words) await main(word.startsWith('list') ? [word, '--data-dir', store] : [word]);
  } finally {
    process.stdout.write = write;
    await rm(store, { recursive: true, force: true });
  }
}
