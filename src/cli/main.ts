import { COMMANDS } from '../commands.gen.ts';
import { EXIT } from '../lib/error.ts';
import { slimConfig } from './config.ts';
import { findCommand } from './find.ts';
import type { CommandClass } from './model.ts';

/** oclif's protected methods, which its own runner calls too. */
interface Runnable {
  init(): Promise<unknown>;
  run(): Promise<unknown>;
  finally(error: Error | undefined): Promise<unknown>;
  jsonEnabled(): boolean;
  logJson(json: unknown): void;
}

interface Globals {
  readonly argv: readonly string[];
  readonly debug: boolean;
}

/**
 * Runs one command line and sets `process.exitCode`. Never throws: every error ends in `report`. The process ends when
 * nothing is left to do, so a command closes what it opened.
 */
export async function main(line: readonly string[]): Promise<void> {
  endQuietlyWithoutReader();
  const { argv: given, debug } = globals(line);
  // Node's advice to programmers, such as that on TLS to an address, is none of a user's business.
  process.noDeprecation = !debug;
  let argv = given;
  let id = '';
  endOnInterrupt(() => id);
  try {
    if (/^--|^-vulcan/.test(given[0] ?? '')) argv = await (await import('./leading.ts')).commandFirst(given);
    id = await dispatch(argv, (known) => {
      id = known;
    });
  } catch (error) {
    await fail(error, id, argv, debug);
  }
}

async function dispatch(argv: readonly string[], known: (id: string) => void): Promise<string> {
  const first = argv[0];
  if (first === '--version' || first === '-v') return await run('version', [], known);
  if (first === undefined || first === '--help' || first === '-h') return await help(argv);
  const found = findCommand(argv, { has: (id) => Object.hasOwn(COMMANDS, id) }) ?? (await findAlias(argv));
  if (found !== undefined) return await run(found.id, found.rest, known);
  const { TOPICS } = await import('./about.ts');
  const second = argv[1];
  if (Object.hasOwn(TOPICS, first) && (second === undefined || second === '--help' || second === '-h')) {
    return await help([first]);
  }
  throw await (await import('./usage.ts')).unknownCommand(argv);
}

async function findAlias(argv: readonly string[]): Promise<{ id: string; rest: string[] } | undefined> {
  const names = (await import('./find.ts')).aliases(await (await import('./manifest.ts')).readManifest());
  const found = findCommand(argv, names);
  return found && { id: names.get(found.id) ?? found.id, rest: found.rest };
}

async function run(id: string, rest: string[], known: (id: string) => void): Promise<string> {
  known(id);
  const command = await loadCommand(id);
  if (asksHelp(rest, command.passThrough === true)) return await help(id.split(':'));
  const instance = new command(rest, slimConfig() as never) as unknown as Runnable;
  let failure: Error | undefined;
  try {
    await instance.init();
    const result = await instance.run();
    if (result !== undefined && instance.jsonEnabled()) instance.logJson(result);
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
    throw error;
  } finally {
    await instance.finally(failure);
  }
  return id;
}

export async function loadCommand(id: string): Promise<CommandClass> {
  const command = (await COMMANDS[id]!()).default;
  command.id = id;
  return command;
}

function asksHelp(rest: readonly string[], passThrough: boolean): boolean {
  for (const word of rest) {
    if (word === '--help' || word === '-h') return true;
    if (word === '--' || (passThrough && !word.startsWith('-'))) return false;
  }
  return false;
}

async function help(argv: readonly string[]): Promise<string> {
  await (await import('./help.ts')).showHelp(argv);
  return 'help';
}

/** `--debug` before the command; anywhere else it is the command's own. */
function globals(line: readonly string[]): Globals {
  const leading = line[0] === '--debug';
  if (leading) process.env.CLUSTER_DEBUG = '1';
  return {
    argv: leading ? line.slice(1) : line,
    debug: /^(1|true|yes)$/i.test(process.env.CLUSTER_DEBUG ?? ''),
  };
}

function before(argv: readonly string[], flag: string): boolean {
  const end = argv.indexOf('--');
  const at = argv.indexOf(flag);
  return at !== -1 && (end === -1 || at < end);
}

async function fail(error: unknown, id: string, argv: readonly string[], debug: boolean): Promise<void> {
  const asked = (error as { oclif?: { exit?: number }; code?: string } | undefined) ?? {};
  if (asked.code === 'EEXIT') {
    process.exitCode = asked.oclif?.exit ?? 0;
    return;
  }
  if (asked.code === 'interrupted' && !before(argv, '--json')) {
    process.stderr.write('Interrupted\n');
    process.exitCode = EXIT.interrupted;
    return;
  }
  const { readable } = await import('./usage.ts');
  const { report } = await import('../lib/ui/errors.ts');
  process.exitCode = report(await readable(error, id), {
    json: before(argv, '--json'),
    debug: debug || before(argv, '--debug'),
    stdout: process.stdout,
    stderr: process.stderr,
  });
}

/** `cluster list-units | head -1` is no fault of anyone. */
function endQuietlyWithoutReader(): void {
  const end = (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
    throw error;
  };
  process.stdout.on('error', end);
  process.stderr.on('error', end);
}

/** Commands that may stop half way; what they wrote to the registry stands. */
const CHANGES = /^(start|stop|load|unload|restart|destroy|reconcile|machine:(add|rm|set-metadata))$/;

/** A command that cleans up after Ctrl-C listens itself, and then this stands back. */
function endOnInterrupt(id: () => string): void {
  process.once('SIGINT', () => {
    if (process.listenerCount('SIGINT') > 0) return;
    const rest = CHANGES.test(id()) ? '; cluster reconcile finishes what was begun' : '';
    process.stderr.write(`Interrupted${rest}\n`, () => process.exit(EXIT.interrupted));
  });
}
