import { printable } from '../printable.ts';
import type { Problem } from '../registry/index.ts';

/** One line for each key that cannot be read: the key as JSON text, which `registry rm-key` takes too, and why. */
export function problemLines(problems: readonly Problem[]): string {
  return problems.map(({ key, message }) => `${printable(`${JSON.stringify(key)}: ${message}`)}\n`).join('');
}
