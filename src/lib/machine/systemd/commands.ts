import type { Machine } from '../port.ts';

/** Runs a command on the machine. */
export type RunCommand = Machine['exec'];

/** sshd passes a command to the shell as one argument, of which Linux takes 128 KiB; quoting may need some. */
const MOST_CHARACTERS = 48 * 1024;

/** Lists that are short enough for one command each, in order. */
export function batches(words: readonly string[], most = MOST_CHARACTERS): string[][] {
  const out: string[][] = [];
  let room = 0;
  for (const word of words) {
    if (out.length === 0 || word.length + 1 > room) {
      out.push([]);
      room = most;
    }
    out.at(-1)?.push(word);
    room -= word.length + 1;
  }
  return out;
}
