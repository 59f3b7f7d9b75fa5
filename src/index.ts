import { loadCommand, main as runLine } from './cli/main.ts';
import { makeManifest } from './cli/manifest.ts';
import type { Manifest } from './cli/model.ts';
import { warmOclif } from './cli/oclif.ts';
import { COMMANDS } from './commands.gen.ts';

/** Runs one command line; see cli/main.ts. */
export const main = (line: readonly string[]): Promise<void> => runLine(COMMANDS, line);

/** What the build writes beside the bundle. */
export const manifest = (): Promise<Manifest> => makeManifest(COMMANDS);

/** Runs what every start runs, so that the build can keep it compiled. */
export async function warm(): Promise<void> {
  // What talks to machines costs most to compile, so it is loaded here too, though not run.
  await Promise.all([loadCommand(COMMANDS, 'list-units'), import('./lib/machine/index.ts'), import('ssh2')]);
  await warmOclif(await loadCommand(COMMANDS, 'version'));
}
