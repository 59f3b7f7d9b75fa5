import { RE2JS, RE2JSException } from 're2js';

/**
 * The compiled RE2 expression, or one line that says why it cannot be one. Matching takes time linear in the subject
 * and the program; counts such as `(ab|c){1000}` must not blow the program up far beyond the text.
 */
export function compileRegexp(text: string): RE2JS | string {
  try {
    const compiled = RE2JS.compile(text);
    const size = compiled.programSize();
    return size > text.length * 2 + 1000
      ? `too large a regular expression: its counts make ${size} steps`
      : compiled;
  } catch (error) {
    if (error instanceof RE2JSException) return error.message.replace(/\s+/g, ' ').trim();
    throw error;
  }
}

const UNITS =
  /\\Q[\s\S]*?(?:\\E|$)|\\[pP](?:\{[^}]*\}|[\s\S])|\\x\{[^}]*\}|\\[\s\S]|\(\?P?<[^>]*>|\(\?[a-zA-Z-]*[:)]|[\s\S]/gu;

/**
 * The expression with its letters in lower case; escapes such as `\D`, group names and flags keep theirs. (vulcand
 * lowers the whole text, and so turns `\D` into `\d`.)
 */
export function lowerRegexp(text: string): string {
  return text.replace(UNITS, (unit) => {
    if (unit.startsWith('\\Q'))
      return unit.replace(/^\\Q[\s\S]*?(?=\\E|$)/, (body) => `\\Q${body.slice(2).toLowerCase()}`);
    return unit.length > 1 && /^[\\(]/.test(unit) ? unit : unit.toLowerCase();
  });
}
