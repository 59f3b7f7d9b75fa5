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

/**
 * Whether ssh takes it for a host name. The rule is OpenSSH's own: nothing that begins like an option or means something
 * to a shell, since configurations hand host names to commands (`ProxyCommand nc %h %p`).
 */
export function isHostWord(text: string): boolean {
  return text !== '' && !/^-|[\s\p{Cc}'`"$\\;&<>|(){}]/u.test(text);
}

/** The same for the name of a user, which may hold `$` and, not at its end, a backslash. */
export function isUserWord(text: string): boolean {
  return text !== '' && !/^-|[\s\p{Cc}'`";&<>|(){}]|\\$/u.test(text);
}
