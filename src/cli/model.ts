import type { Command } from '@oclif/core';

/**
 * What a command changes: `units`, what machines run (`cluster reconcile` finishes a run that was interrupted);
 * `machines`, anything else on machines; `registry`, what the store holds, in one write; or `nothing`.
 */
export type Changes = 'units' | 'machines' | 'registry' | 'nothing';

/** Whose names the shell completes for a command's arguments and for its `--id`; `none` leaves it to file names. */
export type Completes =
  | 'units'
  | 'machines'
  | 'machines-and-units'
  | 'frontends'
  | 'backends'
  | 'servers'
  | 'hosts'
  | 'listeners'
  | 'middlewares'
  | 'commands'
  | 'none';

/** The facts that every command declares as static fields. */
export interface CommandFacts {
  readonly changes: Changes;
  readonly completes: Completes;
  /** What follows the first argument belongs to another program: flags there are not ours. */
  readonly passThrough?: boolean;
}

/** What the runner uses of a command class. */
export interface CommandClass extends CommandFacts {
  new (argv: string[], config: never): Command;
  id: string;
}

export interface CommandModule {
  readonly default: CommandClass;
}

/** Every command by its id (`machine:add`), loaded only when asked for. */
export type CommandTable = Readonly<Record<string, () => Promise<CommandModule>>>;

/** A command as the manifest describes it. */
export type CommandShape = Command.Cached & CommandFacts;

/** All that is known of the commands without loading them. The build writes it beside the bundle. */
export interface Manifest {
  readonly version: string;
  readonly commands: Readonly<Record<string, CommandShape>>;
}
