import type { ClusterError } from '../error.ts';

/** Longest text of a route, predicate or condition, in UTF-16 units. */
export const MAX_EXPRESSION_LENGTH = 4096;

/** One of the small languages written as Go expressions: its name in messages, and its error. */
export interface Language {
  readonly name: string;
  /** What may stand where an operand is expected, for error messages. */
  readonly operand: string;
  /** Makes the error from a one-line message. */
  readonly error: (message: string) => ClusterError;
}

/** The error for `problem` at `at` (0-based offset into `text`): one line, with the place marked by `>>>`. */
export function complain(language: Language, text: string, at: number, problem: string): ClusterError {
  const start = Math.max(0, at - 30);
  const before = `${start > 0 ? '...' : ''}${text.slice(start, at)}`;
  const after = `${text.slice(at, at + 30)}${text.length > at + 30 ? '...' : ''}`;
  const shown = `${before}>>>${after}`.replace(/[\p{Cc}\p{Cs}]/gu, ' ');
  return language.error(`${language.name}: ${problem}, at character ${at + 1}: ${shown}`);
}

/** A piece of the text, shortened and quoted for a message. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text);
}
