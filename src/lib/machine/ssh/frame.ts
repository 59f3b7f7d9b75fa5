import { quote } from '../../shell-words.ts';

/** Printed to both outputs right before a command of ours; what stands before it is what the login shell said. */
export const MARK = 'cluster-output-begins';

const HEAD = `exec sh -c 'LC_MESSAGES=C; export LC_MESSAGES; echo "$0"; echo "$0" >&2; eval "$(printf %b "$1")"' ${MARK} '`;
const PLAIN = /[A-Za-z0-9_@%+=:,./ -]/;

/**
 * The command line that runs this argument list in any login shell. It holds no character that sh, bash, zsh, fish and
 * tcsh read differently within single quotes (tcsh has no newlines and no `!` there, fish reads `\\` as one).
 */
export function frame(argv: readonly string[]): string {
  const encoded = [...Buffer.from(quote(argv), 'utf8')].map((byte) => {
    const character = String.fromCharCode(byte);
    return PLAIN.test(character) ? character : `\\0${byte.toString(8).padStart(3, '0')}`;
  });
  return `${HEAD}${encoded.join('')}'`;
}

/** The POSIX command line inside a frame; null for any other text. */
export function unframe(line: string): string | null {
  if (!line.startsWith(HEAD) || !line.endsWith("'")) return null;
  const bytes = line
    .slice(HEAD.length, -1)
    .replace(/\\0([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

const END_OF_MARK = Buffer.from(`${MARK}\n`);

/** One output of a framed command: passes on what follows the mark, and keeps what stood before it. */
export class FramedOutput {
  readonly #pass: (chunk: Buffer) => void;
  #before = Buffer.alloc(0);
  #begun = false;

  constructor(pass: (chunk: Buffer) => void) {
    this.#pass = pass;
  }

  /** Whether the mark was seen, and so whether the command was started. */
  get begun(): boolean {
    return this.#begun;
  }

  /** What the login shell printed before the mark. */
  get noise(): string {
    return this.#before.toString();
  }

  push(chunk: Buffer): void {
    if (this.#begun) {
      this.#pass(chunk);
      return;
    }
    const text = Buffer.concat([this.#before, chunk]);
    const at = text.indexOf(END_OF_MARK);
    this.#begun = at !== -1;
    this.#before = this.#begun ? text.subarray(0, at) : text;
    if (this.#begun && at + END_OF_MARK.length < text.length)
      this.#pass(text.subarray(at + END_OF_MARK.length));
  }
}
