import { createHash } from 'node:crypto';
import { ClusterError } from '../error.ts';

/** systemd takes lines up to 1 MiB; a whole unit file beyond that is a mistake. */
export const MAX_UNIT_FILE_BYTES = 1024 * 1024;

export interface UnitLine {
  /** `preamble` is text before the first section; `broken` is what {@link parseUnitFile} refuses. */
  readonly kind: 'blank' | 'comment' | 'preamble' | 'section' | 'option' | 'continuation' | 'broken';
  /** The line as written, including its line ending. */
  readonly raw: string;
}

export interface UnitOption {
  readonly section: string;
  readonly key: string;
  /** Trimmed; a continued value keeps its backslashes and newlines, as fleet's does. */
  readonly value: string;
  /** 1-based line where the option starts. */
  readonly line: number;
}

export interface UnitProblem {
  readonly line: number;
  readonly found: string;
  readonly expected: string;
}

/** A unit file, lossless: its lines joined in order are exactly the text that was read. */
export interface UnitFile {
  readonly file?: string;
  readonly lines: readonly UnitLine[];
  readonly options: readonly UnitOption[];
  readonly problems: readonly UnitProblem[];
}

export interface ParseOptions {
  /** Where the text came from, for messages. */
  readonly file?: string;
  readonly unit?: string;
}

/**
 * Reads a unit file. Throws `unit-file-syntax` (line and what was expected), `unit-file-binary` or
 * `unit-file-too-large`.
 */
export function parseUnitFile(text: string, where: ParseOptions = {}): UnitFile {
  const what = where.file ?? where.unit ?? 'unit file';
  // A UTF-16 unit takes at most three bytes in UTF-8, so most files need not be measured.
  if (text.length > MAX_UNIT_FILE_BYTES / 3 && Buffer.byteLength(text) > MAX_UNIT_FILE_BYTES) {
    throw new ClusterError('unit-file-too-large', `${what} is larger than ${MAX_UNIT_FILE_BYTES} bytes`, {
      ...where,
      hint: 'is this really a unit file?',
    });
  }
  const junk = binaryAt(text);
  if (junk !== null) {
    const line = text.slice(0, junk).split('\n').length;
    throw new ClusterError(
      'unit-file-binary',
      `${what} is not text: control or invalid bytes in line ${line}`,
      {
        ...where,
        line,
        hint: 'a unit file is UTF-8 text; is this really one?',
      },
    );
  }
  const parsed = readUnitFile(text, where.file);
  const problem = parsed.problems[0];
  if (problem !== undefined) {
    const { line, found, expected } = problem;
    throw new ClusterError(
      'unit-file-syntax',
      `${what}:${line}: expected ${expected}, found ${clip(found)}`,
      {
        ...where,
        line,
        hint: 'options are written Key=Value below a [Section] line; a long value goes on after a backslash',
      },
    );
  }
  return parsed;
}

// U+FFFD is what a reader makes of bytes that are not UTF-8.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const BINARY = /[\u0000-\u0008\u000e-\u001a\u001c-\u001f\ufffd]/g;

/** Index of the first character that a unit file cannot contain. As in systemd, a comment may be in any encoding. */
function binaryAt(text: string): number | null {
  for (const { 0: found, index } of text.matchAll(BINARY)) {
    const line = text.slice(text.lastIndexOf('\n', index - 1) + 1, index);
    if (found !== '\ufffd' || !isComment(line)) return index;
  }
  return null;
}

/** Reads any text: lines that cannot be parsed are kept as `broken` and listed in `problems`. */
export function readUnitFile(text: string, file?: string): UnitFile {
  const raws = splitLines(text);
  const lines: UnitLine[] = [];
  const found: UnitOption[] = [];
  const problems: UnitProblem[] = [];
  let section: string | null = null;
  for (let i = 0; i < raws.length; i++) {
    const raw = raws[i]!;
    const line = i + 1;
    const content = raw.trim();
    if (content === '') {
      lines.push({ kind: 'blank', raw });
    } else if (content.startsWith('#') || content.startsWith(';')) {
      lines.push({ kind: 'comment', raw });
    } else if (content.startsWith('[')) {
      const expected = sectionProblem(content);
      if (expected !== null) problems.push({ line, found: content, expected });
      else section = content.slice(1, -1);
      lines.push({ kind: expected === null ? 'section' : 'broken', raw });
    } else if (section === null) {
      lines.push({ kind: 'preamble', raw });
    } else {
      const at = raw.indexOf('=');
      const key = raw.slice(0, Math.max(at, 0)).trim();
      if (key === '') {
        problems.push({
          line,
          found: content,
          expected: at === -1 ? '"=" after the key' : 'a key before "="',
        });
        lines.push({ kind: 'broken', raw });
        continue;
      }
      lines.push({ kind: 'option', raw });
      const [value, used] = readValue(raws, i, at + 1);
      for (let n = 1; n < used; n++) lines.push({ kind: 'continuation', raw: raws[i + n]! });
      found.push({ section, key, value, line });
      i += used - 1;
    }
  }
  return { ...(file === undefined ? {} : { file }), lines, options: found, problems };
}

function sectionProblem(content: string): string | null {
  const end = content.indexOf(']');
  if (end === -1) return '"]" at the end of the section header';
  if (end === 1) return 'a section name between "[" and "]"';
  return end === content.length - 1 ? null : 'nothing after "]"';
}

/** The value that starts on line `from` at `column`, and the number of lines it spans. */
function readValue(raws: readonly string[], from: number, column: number): [value: string, used: number] {
  let text = withoutEnd(raws[from]!).slice(column);
  let used = 1;
  for (;;) {
    const rest = used > 1 && isComment(raws[from + used - 1]!) ? restAfterComment(raws, from + used) : 0;
    for (const raw of raws.slice(from + used, from + used + rest)) text += `\n${withoutEnd(raw)}`;
    used += rest;
    if (!continues(text)) break;
    if (withoutEnd(raws[from + used - 1]!) === raws[from + used - 1]) break;
    text += '\n';
    const next = raws[from + used];
    if (next === undefined) return [`${text.trim()}\n`, used];
    used++;
    if (next.trim() === '') return [`${text.trim()}\n`, used];
    text += withoutEnd(next);
  }
  return [text.trim(), used];
}

/**
 * systemd continues a value after a comment inside it; fleet ends the value there. Returns how many lines from `at`,
 * comments included, can only be such a continuation. A line that looks like an option stays an option, as in fleet.
 */
function restAfterComment(raws: readonly string[], at: number): number {
  let end = at;
  while (end < raws.length && isComment(raws[end]!)) end++;
  const next = raws[end]?.trim() ?? '';
  const stands = next === '' || next.startsWith('[') || /^[A-Za-z][A-Za-z0-9-]*\s*=/.test(next);
  return stands ? 0 : end - at + 1;
}

function isComment(raw: string): boolean {
  return /^\s*[#;]/.test(raw);
}

/** Whether the text ends in an odd number of backslashes; an even number is escaped backslashes, as in systemd. */
function continues(text: string): boolean {
  let count = 0;
  while (text[text.length - 1 - count] === '\\') count++;
  return count % 2 === 1;
}

function splitLines(text: string): string[] {
  return text.match(/[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+$/g) ?? [];
}

function withoutEnd(raw: string): string {
  return raw.replace(/[\r\n]+$/, '');
}

function clip(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
}

/** The text that was read, unchanged. */
export function printUnitFile(file: UnitFile): string {
  let text = '';
  for (const line of file.lines) text += line.raw;
  return text;
}

/** Every option in the order of the file. */
export function options(file: UnitFile): readonly UnitOption[] {
  return file.options;
}

/** Every value of a key, in order; an empty value resets nothing, as in fleet. */
export function values(file: UnitFile, section: string, key: string): string[] {
  const found: string[] = [];
  for (const option of file.options) {
    if (option.section === section && option.key === key) found.push(option.value);
  }
  return found;
}

/** Every value as systemd reads it: continued lines joined by a space; an empty value discards the earlier ones. */
export function effectiveValues(file: UnitFile, section: string, key: string): string[] {
  let found: string[] = [];
  for (const value of values(file, section, key)) {
    if (value === '') found = [];
    else found.push(joined(value));
  }
  return found;
}

function joined(value: string): string {
  if (!value.includes('\n') && !continues(value)) return value;
  return value
    .split('\n')
    .map((line) => line.trimStart())
    .filter((line, i) => i === 0 || !/^[#;]/.test(line))
    .map((line) => (continues(line) ? `${line.slice(0, -1)} ` : line))
    .join('')
    .trim();
}

/** fleet's canonical text: options by section in order of first appearance, no comments, one blank line between. */
export function canonicalText(file: UnitFile): string {
  const sections = new Map<string, string>();
  for (const { section, key, value } of file.options) {
    sections.set(section, `${sections.get(section) ?? `[${section}]\n`}${key}=${value}\n`);
  }
  return [...sections.values()].join('\n');
}

/** fleet's hash of a unit: SHA-1 of the canonical text, 40 hex digits. Throws what {@link parseUnitFile} throws. */
export function unitHash(unit: string | UnitFile): string {
  const file = typeof unit === 'string' ? parseUnitFile(unit) : unit;
  return createHash('sha1').update(canonicalText(file)).digest('hex');
}

/** The 7 hex digits of a hash that lists show. */
export function shortHash(hash: string): string {
  return hash.slice(0, 7);
}
