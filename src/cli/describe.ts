import type { Command } from '@oclif/core';
import { cacheCommand } from '../../node_modules/@oclif/core/lib/util/cache-command.js';
import type { CommandClass } from './model.ts';

/** oclif's own description of a command, which it does not export by name. */
export async function describe(command: CommandClass): Promise<Command.Cached> {
  return await cacheCommand(command as unknown as Command.Class, undefined, false);
}
