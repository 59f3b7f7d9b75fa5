import type { Command } from '@oclif/core';

/** What the runner uses of a command class; `passThrough`: what follows its first argument is not ours to read. */
export interface CommandClass {
  new (argv: string[], config: never): Command;
  id: string;
  passThrough?: boolean;
}

export interface CommandModule {
  readonly default: CommandClass;
}

export interface Manifest {
  readonly version: string;
  readonly commands: Readonly<Record<string, Command.Cached>>;
}
