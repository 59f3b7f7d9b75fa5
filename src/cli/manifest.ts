import { readFileSync } from 'node:fs';
import path from 'node:path';
import { COMMANDS } from '../commands.gen.ts';
import { VERSION } from './about.ts';
import type { Manifest } from './model.ts';

/** Asks every command class what it is. Slow: it loads all of them. */
export async function makeManifest(): Promise<Manifest> {
  const { describe } = await import('./describe.ts');
  const commands: Record<string, Manifest['commands'][string]> = {};
  for (const [id, load] of Object.entries(COMMANDS)) {
    const command = (await load()).default;
    if (typeof command !== 'function') throw new Error(`src/commands: ${id} has no default export`);
    command.id = id;
    commands[id] = await describe(command);
  }
  return { version: VERSION, commands };
}

/** What the build wrote beside the bundle; straight from the classes where there is no bundle (tsx, tests). */
export async function readManifest(): Promise<Manifest> {
  if (process.env.CLUSTER_BUNDLED !== '1') return await makeManifest();
  return JSON.parse(readFileSync(path.join(__dirname, 'oclif.manifest.json'), 'utf8')) as Manifest;
}
