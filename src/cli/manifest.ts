import { readFileSync } from 'node:fs';
import path from 'node:path';
import { VERSION } from './about.ts';
import type { CommandShape, CommandTable, Manifest } from './model.ts';
import { describeCommand } from './oclif.ts';

/** Asks every command class what it is. Slow: it loads all of them. */
export async function makeManifest(table: CommandTable): Promise<Manifest> {
  const commands: Record<string, CommandShape> = {};
  for (const [id, load] of Object.entries(table)) {
    const command = (await load()).default;
    if (typeof command !== 'function') throw new Error(`src/commands: ${id} has no default export`);
    command.id = id;
    commands[id] = await describeCommand(command);
  }
  return { version: VERSION, commands };
}

/** What the build wrote beside the bundle; straight from the classes where there is no bundle (tsx, tests). */
export async function readManifest(table: CommandTable): Promise<Manifest> {
  if (process.env.CLUSTER_BUNDLED !== '1') return await makeManifest(table);
  return JSON.parse(readFileSync(path.join(__dirname, 'oclif.manifest.json'), 'utf8')) as Manifest;
}
