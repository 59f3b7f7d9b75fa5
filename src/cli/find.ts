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
