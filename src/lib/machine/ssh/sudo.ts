/** Why sudo did not run a command. */
export type SudoRefusal = 'password' | 'terminal' | 'not-allowed' | 'not-in-sudoers' | 'missing' | 'unknown';

const PATTERNS: readonly (readonly [RegExp, SudoRefusal])[] = [
  [/^sudo: .*must have a tty/m, 'terminal'],
  [/^sudo: .*(a password is required|a terminal is required|no password was provided)/m, 'password'],
  [/^Sorry, user \S+ (is not allowed to execute|may not run sudo)/m, 'not-allowed'],
  [/ is not in the sudoers file/m, 'not-in-sudoers'],
  [/(^|: )sudo: (command |inaccessible or )?not found/m, 'missing'],
  [/^sudo: (error|unable|.*must be owned by|.*syntax error|account)/m, 'unknown'],
];

/** Reads sudo's own messages (in English, see frame.ts) out of a command's error output; null where there is none. */
export function sudoRefusal(stderr: string): SudoRefusal | null {
  return PATTERNS.find(([pattern]) => pattern.test(stderr))?.[1] ?? null;
}
