import { printable } from '../lib/printable.ts';
import { within } from '../lib/within.ts';
import { TOPICS } from './about.ts';
import { findCommand } from './find.ts';
import type { Wanted } from './known-names.ts';
import type { CommandShape, Completes, Manifest } from './model.ts';
import { readWords, type Words } from './words.ts';

/** Flags that name an object, whatever the command. */
const FLAGS: Readonly<Record<string, Completes>> = {
  machine: 'machines',
  unit: 'units',
  backend: 'backends',
  frontend: 'frontends',
};

/** What the last of `words` (what follows `cluster`; it may be empty) may become, sorted. */
export async function candidates(words: readonly string[], manifest: Manifest): Promise<string[]> {
  const current = words.at(-1) ?? '';
  const done = words.slice(0, -1);
  const ids = Object.keys(manifest.commands).filter((id) => manifest.commands[id]?.hidden !== true);
  const found = findCommand(done, new Set(ids));
  const command = manifest.commands[found?.id ?? ''];
  if (found === undefined || command === undefined) return matching(nextWords(ids, done), current);

  const typed = readWords([...found.rest, current], command.flags);
  if (typed.flag !== null) {
    const { name, before } = typed.flag;
    const names = await valuesOfFlag(name, command, typed);
    return matching(
      names.map((value) => before + value),
      current,
    );
  }
  if (current.startsWith('-')) return matching([...flagsOf(command), '--help'], current);
  if (command.completes === 'commands') {
    const pages = found.rest.length === 0 ? ['flags'] : [];
    return matching([...nextWords(ids, found.rest), ...pages], current);
  }
  // A word such as gateway is a command and a topic.
  const below = found.rest.length === 0 ? nextWords(ids, done) : [];
  return matching([...below, ...(await valuesOfArgument(command, typed))], current);
}

const matching = (names: readonly string[], current: string): string[] =>
  names.filter((name) => name.startsWith(current) && printable(name) === name).sort();

const flagsOf = ({ flags }: CommandShape): string[] =>
  Object.entries(flags).flatMap(([name, { hidden }]) => (hidden ? [] : [`--${name}`]));

function nextWords(ids: readonly string[], done: readonly string[]): string[] {
  const prefix = done.map((word) => `${word}:`).join('');
  if (prefix !== '' && TOPICS[done[0] ?? ''] === undefined) return [];
  const rest = ids
    .filter((id) => id.startsWith(prefix))
    .map((id) => id.slice(prefix.length).split(':')[0] ?? '');
  return [...new Set(rest)];
}

async function valuesOfFlag(name: string, command: CommandShape, typed: Words): Promise<readonly string[]> {
  const flag = command.flags[name];
  if (flag?.type === 'option' && flag.options) return flag.options;
  const ofItself = name === 'id' || (name === 'name' && command.completes === 'hosts');
  const kind = FLAGS[name] ?? (ofItself ? command.completes : 'none');
  return await namesOf(kind, command, typed);
}

async function valuesOfArgument(command: CommandShape, typed: Words): Promise<readonly string[]> {
  const args = Object.values(command.args);
  const takesMore = typed.free === 0 || (args.length === 1 && command.strict === false);
  if (args[0] === undefined || !takesMore) return [];
  return args[0].options ?? (await namesOf(command.completes, command, typed));
}

async function namesOf(kind: Completes, command: CommandShape, typed: Words): Promise<string[]> {
  if (kind === 'machines-and-units')
    return [...(await lookUp({ kind: 'machine' })), ...(await lookUp({ kind: 'unit' }))];
  const { values } = typed;
  const wanted: Readonly<Record<string, Wanted>> = {
    units: { kind: 'unit' },
    machines: { kind: 'machine' },
    frontends: { kind: 'frontend' },
    backends: { kind: 'backend' },
    hosts: { kind: 'host' },
    listeners: { kind: 'listener' },
    servers: { kind: 'server', parent: values.get('backend') },
    // A middleware's topic is its type.
    middlewares: { kind: 'middleware', parent: values.get('frontend'), type: command.id.replace(/:.*/, '') },
  };
  return wanted[kind] === undefined ? [] : await lookUp(wanted[kind]);
}

/** How long completion may look for names. */
const BUDGET_MS = 1000;

/** Completion never fails, prints or hangs: while the registry cannot be reached there are no names. */
async function lookUp(wanted: Wanted): Promise<string[]> {
  const names = import('./known-names.ts').then(({ knownNames }) => knownNames(wanted));
  return await within(
    BUDGET_MS,
    names.catch(() => []),
    [],
  );
}
