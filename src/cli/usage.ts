import { ClusterError, EXIT } from '../lib/error.ts';
import { BIN, TOPICS } from './about.ts';
import { aliases, closest } from './find.ts';
import { readManifest } from './manifest.ts';

/** What oclif's parser throws: recognised by shape, since those classes are not exported. */
interface ParseError extends Error {
  readonly oclif: { readonly exit?: number };
  readonly parse: unknown;
  readonly flags?: readonly string[];
  readonly args?: readonly { readonly name: string }[] | readonly string[];
}

function isParseError(error: unknown): error is ParseError {
  return error instanceof Error && 'oclif' in error && 'parse' in error;
}

/** oclif's own complaint of a flag's value, which it does not throw as a parser's. */
function isFlagError(error: unknown): error is Error {
  return error instanceof Error && !(error instanceof ClusterError) && 'oclif' in error;
}

function flagLine(message: string): string {
  return oneLine(message)
    .replace(/^Parsing (--\S+)\s+/, '$1: ')
    .replace(/: Expected/, ': expected')
    .replace(/^Flag --/, 'flag --');
}

export async function unknownCommand(argv: readonly string[]): Promise<ClusterError> {
  const first = argv[0] ?? '';
  if (first.startsWith('-')) return unknownFlags([first], ['--help', '--version', '--debug'], '');
  const manifest = await readManifest();
  const topic = TOPICS[first] === undefined || argv[1] === undefined ? '' : `${first} `;
  const word = topic === '' ? first : (argv[1] ?? '');
  const names = visible(manifest.commands)
    .concat([...aliases(manifest).keys()], Object.keys(TOPICS))
    .map((id) => id.replaceAll(':', ' '))
    .filter((name) => name.startsWith(topic))
    .map((name) => name.slice(topic.length));
  const near = closest(word, names).map((name) => `${BIN} ${topic}${name}`);
  return new ClusterError('unknown-command', `unknown command "${topic}${word}"`, {
    hint: near.length > 0 ? near.join(', ') : `${BIN} ${topic}--help`,
    exit: EXIT.usage,
  });
}

function visible(commands: Readonly<Record<string, { readonly hidden?: boolean | undefined }>>): string[] {
  return Object.keys(commands).filter((id) => commands[id]?.hidden !== true);
}

function unknownFlags(flags: readonly string[], known: readonly string[], command: string): ClusterError {
  const near = flags.flatMap((flag) => closest(flag.replace(/=.*$/s, ''), known));
  const help = `${BIN} ${command}${command === '' ? '' : ' '}--help`;
  return new ClusterError('unknown-flag', `unknown flag${flags.length > 1 ? 's' : ''} ${flags.join(', ')}`, {
    hint: near.length > 0 ? [...new Set(near)].join(', ') : help,
    exit: EXIT.usage,
  });
}

/** A parser error as one line and a hint; anything else as it is. */
export async function readable(error: unknown, id: string): Promise<unknown> {
  const command = id.replaceAll(':', ' ');
  const hint = `${BIN} ${command} --help`;
  if (!isParseError(error)) {
    if (id === '' || !isFlagError(error)) return error;
    return new ClusterError('usage', flagLine(error.message), { hint, exit: EXIT.usage });
  }
  if (error.constructor.name === 'NonExistentFlagsError') {
    const flags = (await readManifest()).commands[id]?.flags ?? {};
    const known = Object.entries(flags)
      .filter(([, flag]) => flag.hidden !== true)
      .map(([name]) => `--${name}`);
    return unknownFlags(error.flags ?? [], [...known, '--help'], command);
  }
  const names = (error.args ?? []).map((arg) => (typeof arg === 'string' ? arg : arg.name));
  if (error.constructor.name === 'RequiredArgsError') {
    return new ClusterError('missing-argument', `missing argument: ${names.join(', ')}`, {
      hint,
      exit: EXIT.usage,
    });
  }
  return new ClusterError('usage', oneLine(error.message), { hint, exit: EXIT.usage });
}

function oneLine(message: string): string {
  const lines = message
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && line !== 'See more help with --help');
  const [first = '', ...rest] = lines;
  return /^The following errors? occurred:$/.test(first) ? rest.join('; ') : lines.join(' ');
}
