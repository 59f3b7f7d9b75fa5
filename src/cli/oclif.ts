/**
 * The only file that knows how oclif works inside. oclif parses command lines and formats help; its plugin loader, its
 * configuration search and its runner are not used, because they cost more than a short command takes. Everything here
 * that casts, subclasses help or imports a file that oclif does not export belongs to oclif 4.14 (an exact version).
 * scripts/build.mjs (`slimOclif`) leaves the same unused parts out of the bundle: change the two together.
 */
import type { Command, Config } from '@oclif/core';
import type * as oclif from '@oclif/core/help';
import { BIN, DESCRIPTION, TOPICS, VERSION } from './about.ts';
import type { CommandClass, CommandShape, Manifest } from './model.ts';

/** Flags in this group are those that every command has. */
export const GLOBAL = 'GLOBAL';

/** Methods that oclif protects and that its own runner calls too. */
interface Runnable {
  init(): Promise<unknown>;
  run(): Promise<unknown>;
  finally(error: Error | undefined): Promise<unknown>;
}

type ReadManifest = () => Promise<Manifest>;

/** The part of oclif's Config that commands and help read. Without a manifest it knows no commands. */
function slimConfig(readManifest: ReadManifest, manifest?: Manifest): Config {
  const commands = Object.values(manifest?.commands ?? {}).map((command) => ({ ...command }));
  const topics = Object.entries(TOPICS)
    .filter(([name]) => commands.some((command) => command.id.startsWith(`${name}:`)))
    .map(([name, description]) => ({ name, description }));
  const config = {
    name: BIN,
    bin: BIN,
    version: VERSION,
    userAgent: `${BIN} version ${VERSION}`,
    root: '',
    platform: process.platform,
    shell: process.env.SHELL ?? '',
    topicSeparator: ' ',
    isSingleCommandCLI: false,
    flexibleTaxonomy: false,
    plugins: new Map(),
    pjson: { name: BIN, version: VERSION, description: DESCRIPTION, oclif: {} },
    commandIDs: commands.map((command) => command.id),
    commands,
    topics,
    findCommand: (id: string) => commands.find((command) => command.id === id),
    findTopic: (name: string) => topics.find((topic) => topic.name === name),
    runHook: async () => ({ successes: [], failures: [] }),
    scopedEnvVar: (name: string) => process.env[`CLUSTER_${name}`],
    scopedEnvVarTrue: (name: string) => /^(1|true|yes)$/i.test(process.env[`CLUSTER_${name}`] ?? ''),
    readManifest,
  };
  return config as unknown as Config;
}

/** Runs a command as oclif's own runner would. Throws what the command throws. */
export async function runCommand(
  command: CommandClass,
  argv: string[],
  readManifest: ReadManifest,
): Promise<void> {
  const instance = new command(argv, slimConfig(readManifest) as never) as unknown as Runnable;
  let failure: Error | undefined;
  try {
    await instance.init();
    await instance.run();
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
    throw error;
  } finally {
    await instance.finally(failure);
  }
}

/** The manifest, for a command that is about commands. */
export function manifestOf({ config }: Command): Promise<Manifest> {
  return (config as unknown as { readManifest: ReadManifest }).readManifest();
}

/** oclif's own description of a command class, and with it the class's static fields. */
export async function describeCommand(command: CommandClass): Promise<CommandShape> {
  const { cacheCommand } = await import('../../node_modules/@oclif/core/lib/util/cache-command.js');
  return (await cacheCommand(command as unknown as Command.Class, undefined, false)) as CommandShape;
}

/** What oclif's parser objects to. */
export type ParseProblem =
  | { readonly kind: 'unknown-flags'; readonly flags: readonly string[] }
  | { readonly kind: 'missing-arguments'; readonly names: readonly string[] }
  /** Of a flag's value. */
  | { readonly kind: 'bad-flag'; readonly message: string }
  | { readonly kind: 'other'; readonly message: string };

/** The parser's objection behind `error`, or null for an error that is not oclif's. */
export async function parseProblem(error: unknown): Promise<ParseProblem | null> {
  if (!(error instanceof Error) || !('oclif' in error)) return null;
  const { CLIParseError, NonExistentFlagsError, RequiredArgsError } = await import(
    '../../node_modules/@oclif/core/lib/parser/errors.js'
  );
  const { message } = error;
  if (error instanceof NonExistentFlagsError) return { kind: 'unknown-flags', flags: error.flags };
  if (error instanceof RequiredArgsError)
    return { kind: 'missing-arguments', names: error.args.map(({ name }) => name) };
  return error instanceof CLIParseError ? { kind: 'other', message } : { kind: 'bad-flag', message };
}

/** The exit code that a command asked for with `this.exit`, or undefined for any other error. */
export function askedExit(error: unknown): number | undefined {
  const { code, oclif } = (error ?? {}) as { code?: string; oclif?: { exit?: number } };
  return code === 'EEXIT' ? (oclif?.exit ?? 0) : undefined;
}

/** How help is printed. */
export interface HelpPages {
  root(): Promise<void>;
  topic(name: string): Promise<void>;
  command(id: string): Promise<void>;
  /** A section of flags, formatted as on a command's page. */
  flags(header: string, flags: CommandShape['flags']): string;
}

/** Help pages as wide as the terminal. `all`: hidden commands and global flags too. */
export async function helpPages(manifest: Manifest, all: boolean): Promise<HelpPages> {
  const { CommandHelp, Help } = await import('@oclif/core/help');
  const config = slimConfig(async () => manifest, manifest);

  class CommandPage extends CommandHelp {
    protected override defaultUsage(): string {
      const { flags } = this.command;
      const own = Object.entries(flags).filter(([, flag]) => flag.helpGroup !== GLOBAL);
      this.command.flags = Object.fromEntries(own);
      const usage = super.defaultUsage();
      this.command.flags = flags;
      return own.length === Object.keys(flags).length ? usage : `${usage} [global flags]`;
    }

    protected override groupFlags(flags: Command.Flag.Any[]): ReturnType<oclif.CommandHelp['groupFlags']> {
      const { mainFlags, flagGroups } = super.groupFlags(flags);
      return { mainFlags, flagGroups: all ? flagGroups : {} };
    }

    /** oclif puts `[default: 10s, env: CLUSTER_TTL]` before the text, where it hides what a flag does. */
    override flags(flags: Command.Flag.Any[]): [string, string | undefined][] | undefined {
      const textFirst = (right: string): string =>
        right
          .replace(/^(\(required\) )?(\[[^\]]+\]) ([^\n]*)/, '$1$3 $2')
          .replace(/\benv: (CLUSTER_\w+\])/, '$$$1');
      return super.flags(flags)?.map(([left, right]) => [left, right && textFirst(right)]);
    }

    /** oclif repeats the summary here. */
    protected override description(): string | undefined {
      const { description } = this.command;
      return description && this.wrap(description);
    }

    protected override sections(): ReturnType<oclif.CommandHelp['sections']> {
      const hasGlobal = Object.values(this.command.flags).some((flag) => flag.helpGroup === GLOBAL);
      const sections = super.sections();
      if (all || !hasGlobal) return sections;
      const generate = () => this.wrap(`--json, --endpoint and others: see ${BIN} help flags`);
      const after = sections.findIndex(({ header }) => header === 'FLAGS') + 1;
      return sections.toSpliced(after, 0, { header: 'GLOBAL FLAGS', generate });
    }
  }

  class Pages extends Help {
    protected override CommandHelpClass = CommandPage;

    /** oclif lists a topic only where another topic is below it; each of ours has commands. */
    protected override get sortedTopics(): Config['topics'] {
      return [...this.config.topics].sort((a, b) => (a.name < b.name ? -1 : 1));
    }

    root(): Promise<void> {
      return this.showRootHelp();
    }

    topic(name: string): Promise<void> {
      return this.showTopicHelp({ name, description: TOPICS[name] ?? '' });
    }

    async page(id: string): Promise<void> {
      await this.showCommandHelp(config.findCommand(id) as Command.Loadable);
    }

    flagSection(header: string, flags: CommandShape['flags']): string {
      const command = { id: '', flags, args: {} } as unknown as Command.Loadable;
      const page = new CommandPage(command, this.config, this.opts);
      const named = Object.entries(flags).map(([name, flag]) => Object.assign(flag, { name }));
      return page.section(header, page.flags(named as Command.Flag.Any[]) ?? []);
    }
  }

  const pages = new Pages(config, { all, hideAliasesFromRoot: true, respectNoCacheDefault: true });
  return {
    root: () => pages.root(),
    topic: (name) => pages.topic(name),
    command: (id) => pages.page(id),
    flags: (header, flags) => pages.flagSection(header, flags),
  };
}
