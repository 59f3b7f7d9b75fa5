import type { Manifest } from './model.ts';

export interface Found {
  readonly id: string;
  /** What is left of the command line for the command. */
  readonly rest: string[];
}

/** The longest run of leading words that names one of `ids`: `machine add x` is `machine:add` with `x`. */
export function findCommand(
  argv: readonly string[],
  ids: { readonly has: (id: string) => boolean },
): Found | undefined {
  const words = leadingWords(argv);
  for (let length = words.length; length > 0; length--) {
    const id = words.slice(0, length).join(':');
    if (ids.has(id)) return { id, rest: argv.slice(length) };
  }
  return undefined;
}

/** At most three, since no command is deeper. */
function leadingWords(argv: readonly string[]): string[] {
  const words: string[] = [];
  for (const word of argv) {
    if (words.length === 3 || !/^[a-z][a-z0-9:_-]*$/i.test(word)) break;
    words.push(word);
  }
  return words;
}

/** Every other name of a command, to its id. */
export function aliases(manifest: Manifest): Map<string, string> {
  const names = new Map<string, string>();
  for (const [id, command] of Object.entries(manifest.commands)) {
    for (const alias of [...command.aliases, ...command.hiddenAliases]) names.set(alias, id);
  }
  return names;
}

/** Names that a person may have meant: what starts so, then what is few keystrokes away; nearest first, at most three. */
export function closest(word: string, names: Iterable<string>): string[] {
  const limit = word.length <= 3 ? 1 : word.length <= 6 ? 2 : 3;
  return [...new Set(names)]
    .map((name) => ({ name, cost: word.length > 1 && name.startsWith(word) ? 0 : distance(word, name) }))
    .filter(({ cost }) => cost <= limit)
    .sort((a, b) => a.cost - b.cost || (a.name < b.name ? -1 : 1))
    .slice(0, 3)
    .map(({ name }) => name);
}

/** Edits between two words; two neighbours swapped count as one. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      current[column] = Math.min(
        above[column]! + 1,
        current[column - 1]! + 1,
        above[column - 1]! + (same ? 0 : 1),
        swapped ? before[column - 2]! + 1 : Number.POSITIVE_INFINITY,
      );
    }
    before = above;
    above = current;
  }
  return above[b.length]!;
}
