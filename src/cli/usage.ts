import { ClusterError, EXIT } from '../lib/error.ts';
import { nearestAll } from '../lib/unit/nearest.ts';
import { BIN, TOPICS } from './about.ts';
import { aliases } from './find.ts';
import type { Manifest } from './model.ts';
import { parseProblem } from './oclif.ts';

function flagLine(message: string): string {
  return oneLine(message)
    .replace(/^Parsing (--\S+)\s+/, '$1: ')
    .replace(/: Expected/, ': expected')
    .replace(/^Flag --/, 'flag --');
}

/** The error for a line whose first words name no command, with the commands that may have been meant. */
export function unknownCommand(argv: readonly string[], manifest: Manifest): ClusterError {
  const first = argv[0] ?? '';
  if (first.startsWith('-')) return unknownFlags([first], ['--help', '--version', '--debug'], '');
  const topic = TOPICS[first] === undefined || argv[1] === undefined ? '' : `${first} `;
  const word = topic === '' ? first : (argv[1] ?? '');
  const names = visible(manifest.commands)
    .concat([...aliases(manifest).keys()], Object.keys(TOPICS))
    .map((id) => id.replaceAll(':', ' '))
    .filter((name) => name.startsWith(topic))
    .map((name) => name.slice(topic.length));
  const near = nearestAll(word, names.sort()).map((name) => `${BIN} ${topic}${name}`);
  return new ClusterError('unknown-command', `unknown command "${topic}${word}"`, {
    hint: near.length > 0 ? near.join(', ') : `${BIN} ${topic}--help`,
    exit: EXIT.usage,
  });
}

function visible(commands: Readonly<Record<string, { readonly hidden?: boolean | undefined }>>): string[] {
  return Object.keys(commands).filter((id) => commands[id]?.hidden !== true);
}

function unknownFlags(flags: readonly string[], known: readonly string[], command: string): ClusterError {
  const near = flags.flatMap((flag) => nearestAll(flag.replace(/=.*$/s, ''), known));
  const help = `${BIN} ${command}${command === '' ? '' : ' '}--help`;
  return new ClusterError('unknown-flag', `unknown flag${flags.length > 1 ? 's' : ''} ${flags.join(', ')}`, {
    hint: near.length > 0 ? [...new Set(near)].join(', ') : help,
    exit: EXIT.usage,
  });
}

/** An error of the command line as one line and a hint; any other error as it is. */
export async function readable(
  error: unknown,
  id: string,
  readManifest: () => Promise<Manifest>,
): Promise<unknown> {
  const problem = error instanceof ClusterError ? null : await parseProblem(error);
  if (problem === null) return error;
  const command = id.replaceAll(':', ' ');
  const options = { hint: `${BIN} ${command} --help`, exit: EXIT.usage };
  switch (problem.kind) {
    case 'unknown-flags': {
      const flags = Object.entries((await readManifest()).commands[id]?.flags ?? {});
      const known = flags.flatMap(([name, { hidden }]) => (hidden ? [] : [`--${name}`]));
      return unknownFlags(problem.flags, [...known, '--help'], command);
    }
    case 'missing-arguments':
      return new ClusterError('missing-argument', `missing argument: ${problem.names.join(', ')}`, options);
    case 'bad-flag':
      return new ClusterError('usage', flagLine(problem.message), options);
    case 'other':
      return new ClusterError('usage', oneLine(problem.message), options);
  }
}

function oneLine(message: string): string {
  const lines = message
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && line !== 'See more help with --help');
  const [first = '', ...rest] = lines;
  return /^The following errors? occurred:$/.test(first) ? rest.join('; ') : lines.join(' ');
}
