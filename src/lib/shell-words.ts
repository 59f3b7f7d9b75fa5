const SAFE = /^[A-Za-z0-9_@%+:,./-]+$/;

/** One argument as a POSIX shell word that expands to exactly this text. */
export function quoteWord(word: string): string {
  if (word.includes('\0')) throw new TypeError('an argument cannot hold a NUL character');
  return SAFE.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** An argument list as one POSIX shell command line: the only way that arguments reach a remote shell. */
export function quote(argv: readonly string[]): string {
  return argv.map(quoteWord).join(' ');
}
