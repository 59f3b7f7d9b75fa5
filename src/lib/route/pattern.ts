import type { PatternPart, Subject, Test } from './model.ts';

type Pattern = Extract<Test, { form: 'pattern' }>;

/** What ends a placeholder's run. */
export const SEPARATORS: Readonly<Record<Subject['kind'], string>> = {
  host: '.',
  path: '/',
  method: ' ',
  header: '/',
};

const TYPES = ['string', 'int', 'path'] as const;

/** The test that a plain matcher's value stands for, or one line that says what is wrong with it. */
export function readPattern(kind: Subject['kind'], value: string): Test | string {
  const parts: PatternPart[] = [];
  let end = 0;
  for (const found of value.matchAll(/<([^>]+)>/g)) {
    const part = readPlaceholder(found[1] ?? '');
    if (typeof part === 'string') return part;
    if (found.index > end) parts.push({ kind: 'text', text: value.slice(end, found.index) });
    parts.push(part);
    end = found.index + found[0].length;
  }
  if (parts.length === 0) return { form: 'literal', value };
  if (end < value.length) parts.push({ kind: 'text', text: value.slice(end) });
  const dead = isDead(parts, SEPARATORS[kind]);
  const regexp = dead ? '^[^\\s\\S]\\z' : `^${anyText(parts, SEPARATORS[kind])}\\z`;
  return { form: 'pattern', value, parts, regexp, dead };
}

function readPlaceholder(body: string): PatternPart | string {
  const [first = '', second, ...more] = body.split(':');
  if (second === undefined) return { kind: 'string', name: first };
  const kind = TYPES.find((type) => type === first);
  if (kind === undefined) return `<${first}:...> is none of <NAME>, <string:NAME>, <int:NAME>, <path:NAME>`;
  if (more.length > 0) return `<${first}:...> takes one name`;
  return { kind, name: second };
}

/** A run ends at a separator or at the end, so anything else behind it cannot be there. */
function isDead(parts: readonly PatternPart[], separator: string): boolean {
  return parts.some((part, i) => {
    const before = parts[i - 1];
    if (part.kind !== 'text' || before === undefined) return false;
    return neighbours(parts, i - 1).includes('path') || !part.text.startsWith(separator);
  });
}

/** The kinds of the placeholders that stand side by side up to `last`. */
function neighbours(parts: readonly PatternPart[], last: number): readonly PatternPart['kind'][] {
  const kinds = parts.slice(0, last + 1).map(({ kind }) => kind);
  return kinds.slice(kinds.lastIndexOf('text') + 1);
}

function anyText(parts: readonly PatternPart[], separator: string): string {
  return parts.map((part, i) => partRegexp(part, parts[i - 1], neighbours(parts, i), separator)).join('');
}

/** Of placeholders side by side the first takes the run and leaves nothing to the others; only a path goes on. */
function partRegexp(
  part: PatternPart,
  before: PatternPart | undefined,
  group: readonly PatternPart['kind'][],
  separator: string,
): string {
  if (part.kind === 'text') return part.text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&');
  const first = before === undefined || before.kind === 'text';
  if (part.kind !== 'path') return first ? (part.kind === 'int' ? '[0-9]*' : `[^${separator}]*`) : '';
  if (group.slice(0, -1).includes('path')) return '';
  return group[0] === 'int' ? `(?:${separator === '.' ? '\\.' : separator}[\\s\\S]*)?` : '[\\s\\S]*';
}

/** Whether the whole subject matches the pattern. Linear time. */
export function matchesPattern({ parts, dead }: Pattern, kind: Subject['kind'], subject: string): boolean {
  if (dead) return false;
  let at = 0;
  for (const part of parts) {
    if (part.kind === 'text') {
      if (!subject.startsWith(part.text, at)) return false;
      at += part.text.length;
      continue;
    }
    const stop = part.kind === 'path' ? -1 : subject.indexOf(SEPARATORS[kind], at);
    const end = stop === -1 ? subject.length : stop;
    if (part.kind === 'int' && !/^[0-9]*$/.test(subject.slice(at, end))) return false;
    at = end;
  }
  return at === subject.length;
}

/** Characters that must stand in the subject literally: how much the pattern says. */
export function literalLength({ parts }: Pattern): number {
  return parts.reduce((sum, part) => sum + (part.kind === 'text' ? part.text.length : 0), 0);
}
