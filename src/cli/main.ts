import { EXIT } from '../lib/error.ts';
import { aliases, findCommand } from './find.ts';
import { readManifest } from './manifest.ts';
import type { Changes, CommandClass, CommandTable } from './model.ts';
import { askedExit, runCommand } from './oclif.ts';

interface Globals {
  readonly argv: readonly string[];
  readonly debug: boolean;
}

/** What runs, as far as that is known. */
interface Running {
  id: string;
  changes: Changes;
}

/**
 * Runs one command line and sets `process.exitCode`. Never throws: every error ends in `report`. The process ends when
 * nothing is left to do, so a command closes what it opened.
 */
export async function main(table: CommandTable, line: readonly string[]): Promise<void> {
  endQuietlyWithoutReader();
  const { argv: given, debug } = globals(line);
  // Node's advice to programmers, such as that on TLS to an address, is not for users.
  process.noDeprecation = !debug;
  let argv = given;
  const running: Running = { id: '', changes: 'nothing' };
  endOnInterrupt(running);
  try {
    if (/^--|^-vulcan/.test(given[0] ?? ''))
      argv = (await import('./leading.ts')).commandFirst(given, await readManifest(table));
    await dispatch(table, argv, running);
  } catch (error) {
    await fail(table, error, running.id, argv, debug);
  }
}

async function dispatch(table: CommandTable, argv: readonly string[], running: Running): Promise<void> {
  const first = argv[0];
  if (first === '--version' || first === '-v') return await run(table, 'version', [], running);
  if (first === undefined || first === '--help' || first === '-h') return await help(table, argv);
  const found =
    findCommand(argv, { has: (id) => Object.hasOwn(table, id) }) ?? (await findAlias(table, argv));
  if (found !== undefined) return await run(table, found.id, found.rest, running);
  const { TOPICS } = await import('./about.ts');
  const asksTopic = argv.slice(1).every((word) => /^(--help|-h|--all)$/.test(word));
  if (Object.hasOwn(TOPICS, first) && asksTopic) return await help(table, argv);
  throw (await import('./usage.ts')).unknownCommand(argv, await readManifest(table));
}

async function findAlias(
  table: CommandTable,
  argv: readonly string[],
): Promise<{ id: string; rest: string[] } | undefined> {
  const names = aliases(await readManifest(table));
  const found = findCommand(argv, names);
  return found && { id: names.get(found.id) ?? found.id, rest: found.rest };
}

async function run(table: CommandTable, id: string, rest: string[], running: Running): Promise<void> {
  running.id = id;
  const command = await loadCommand(table, id);
  running.changes = command.changes;
  if (asksHelp(rest, command.passThrough === true)) {
    const all = rest.filter((word) => word === '--all');
    return await help(table, [...id.split(':'), ...all]);
  }
  await runCommand(command, rest, () => readManifest(table));
}

async function loadCommand(table: CommandTable, id: string): Promise<CommandClass> {
  const command = (await table[id]!()).default;
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

async function help(table: CommandTable, argv: readonly string[]): Promise<void> {
  const { showHelp } = await import('./help.ts');
  const words = argv.filter((word) => !word.startsWith('-'));
  await showHelp(words, argv.includes('--all'), await readManifest(table));
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

async function fail(
  table: CommandTable,
  error: unknown,
  id: string,
  argv: readonly string[],
  debug: boolean,
): Promise<void> {
  const asked = askedExit(error);
  if (asked !== undefined) {
    process.exitCode = asked;
    return;
  }
  const interrupted = (error as { code?: string } | undefined)?.code === 'interrupted';
  if (interrupted && !before(argv, '--json')) {
    process.stderr.write('Interrupted\n');
    process.exitCode = EXIT.interrupted;
    return;
  }
  const { readable } = await import('./usage.ts');
  const { report } = await import('../lib/ui/errors.ts');
  process.exitCode = report(await readable(error, id, () => readManifest(table)), {
    json: before(argv, '--json'),
    debug: debug || before(argv, '--debug'),
    stdout: process.stdout,
    stderr: process.stderr,
  });
}

/** A reader that closes the pipe, as in `cluster list-units | head -1`, is not an error. */
function endQuietlyWithoutReader(): void {
  const end = (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
    throw error;
  };
  process.stdout.on('error', end);
  process.stderr.on('error', end);
}

/** A command that cleans up after Ctrl-C listens for it; this then does nothing. */
function endOnInterrupt(running: Running): void {
  process.once('SIGINT', () => {
    if (process.listenerCount('SIGINT') > 0) return;
    const rest = running.changes === 'units' ? '; cluster reconcile finishes what was begun' : '';
    process.stderr.write(`Interrupted${rest}\n`, () => process.exit(EXIT.interrupted));
  });
}
