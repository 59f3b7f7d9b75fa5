import type { CommandShape } from './model.ts';

/** What has been typed of a command line, up to the word that is being typed. */
export interface Words {
  /** Values of flags, by the flags' full names. */
  readonly values: ReadonlyMap<string, string>;
  /** How many words belong to no flag. */
  readonly free: number;
  /** The flag whose value the word being typed is, and the part of that word that is not the value (`--backend=`). */
  readonly flag: { readonly name: string; readonly before: string } | null;
}

/** Reads `line`, which follows the command; its last word is being typed. vctl's spelling of flags counts too. */
export function readWords(line: readonly string[], flags: CommandShape['flags']): Words {
  const values = new Map<string, string>();
  let open: string | undefined;
  let free = 0;
  for (const word of line.slice(0, -1)) {
    const [, typed, value] = /^--?([A-Za-z][\w-]*)(?:=(.*))?$/s.exec(word) ?? [];
    const name = typed === undefined ? undefined : flagNamed(typed, flags);
    if (open !== undefined) {
      values.set(open, word);
      open = undefined;
    } else if (name !== undefined && value !== undefined) values.set(name, value);
    else if (name !== undefined) open = flags[name]?.type === 'option' ? name : undefined;
    else if (!word.startsWith('-')) free += 1;
  }

  const [, before = '', typed] = /^(--?([A-Za-z][\w-]*)=)/.exec(line.at(-1) ?? '') ?? [];
  const name = typed === undefined ? open : flagNamed(typed, flags);
  return { values, free, flag: name === undefined ? null : { name, before } };
}

/** `-readTimeout` is `--read-timeout`. */
function flagNamed(typed: string, flags: CommandShape['flags']): string | undefined {
  const plain = (word: string): string => word.replaceAll('-', '').toLowerCase();
  return Object.keys(flags).find(
    (name) => plain(name) === plain(typed) || (typed.length === 1 && flags[name]?.char === typed),
  );
}
