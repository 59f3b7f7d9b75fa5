import { slimConfig } from './cli/config.ts';
import { loadCommand } from './cli/main.ts';

export { main } from './cli/main.ts';
export { makeManifest as manifest } from './cli/manifest.ts';

/** Runs what every start runs, so that the build can keep it compiled. */
export async function warm(): Promise<void> {
  // What talks to machines costs most to compile, so it is loaded here too, though not run.
  await Promise.all([loadCommand('list-units'), import('./lib/machine/index.ts'), import('ssh2')]);
  const command = await loadCommand('version');
  await new command([], slimConfig() as never).config.runHook('init', {} as never);
}
