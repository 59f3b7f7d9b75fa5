import { ClusterError } from '../error.ts';

const OPEN: Readonly<Record<string, string>> = { '<': '>', '{': '}' };

/**
 * The names that one argument stands for: `demo@<1..3>.service`, `{1..3}`, `{a,b}`, zero padded `<01..12>`, several in
 * one name (the leftmost changes slowest). Only the base name of a path is expanded. Throws `range-empty`,
 * `range-reversed`, `range-too-large`, `range-syntax`, or `range-eaten` when a shell seems to have interpreted the range.
 */
export function expandRanges(argument: string, limit = 10_000): string[] {
  const start = argument.lastIndexOf('/') + 1;
  const base = argument.slice(start);
  if (/^[^@]+@$/.test(base)) {
    throw new ClusterError(
      'range-eaten',
      `${JSON.stringify(argument)} names no unit: did the shell take a range?`,
      {
        hint: `quote it: '${argument}<1..3>.service'`,
      },
    );
  }
  const parts: (readonly string[])[] = [[argument.slice(0, start)]];
  let total = 1;
  for (let i = 0; i < base.length; ) {
    const close = OPEN[base[i]!];
    if (close === undefined) {
      const end = base.slice(i).search(/[<{]/);
      const text = end === -1 ? base.slice(i) : base.slice(i, i + end);
      parts.push([text]);
      i += text.length;
      continue;
    }
    const end = base.indexOf(close, i);
    if (end === -1) throw syntax(argument, `"${base[i]}" is never closed`);
    const items = readItems(argument, base.slice(i + 1, end), limit);
    total *= items.length;
    if (total > limit) throw tooLarge(argument, limit);
    parts.push(items);
    i = end + 1;
  }
  return parts.reduce<string[]>(
    (heads, items) => heads.flatMap((head) => items.map((item) => head + item)),
    [''],
  );
}

function readItems(argument: string, body: string, limit: number): string[] {
  if (body.trim() === '') throw empty(argument);
  const items: string[] = [];
  for (const item of body.split(',')) {
    if (item === '') throw empty(argument);
    if (/[<{]/.test(item)) throw syntax(argument, 'a range cannot hold another one');
    if (!item.includes('..')) {
      items.push(item);
      continue;
    }
    for (const value of readRange(argument, item, limit)) items.push(value);
    if (items.length > limit) throw tooLarge(argument, limit);
  }
  return items;
}

function readRange(argument: string, text: string, limit: number): string[] {
  const [low = '', high = '', ...more] = text.split('..');
  if (low === '' || high === '') throw empty(argument);
  const letters = /^[a-z]$/i.test(low) && /^[a-z]$/i.test(high);
  if (more.length > 0 || (!letters && !(/^\d+$/.test(low) && /^\d+$/.test(high)))) {
    throw syntax(argument, `${JSON.stringify(text)} is not NUMBER..NUMBER`);
  }
  const first = BigInt(letters ? low.charCodeAt(0) : low);
  const last = BigInt(letters ? high.charCodeAt(0) : high);
  if (last < first) {
    throw new ClusterError('range-reversed', `range ${text} in ${JSON.stringify(argument)} runs backwards`, {
      hint: `write ${high}..${low}`,
    });
  }
  if (last - first >= BigInt(limit)) throw tooLarge(argument, limit);
  const padded = [low, high].some((end) => end.length > 1 && end.startsWith('0'));
  const width = padded && !letters ? Math.max(low.length, high.length) : 0;
  const found: string[] = [];
  for (let n = first; n <= last; n++) {
    found.push(letters ? String.fromCharCode(Number(n)) : String(n).padStart(width, '0'));
  }
  return found;
}

function empty(argument: string): ClusterError {
  return new ClusterError('range-empty', `a range or list in ${JSON.stringify(argument)} is empty`, {
    hint: "write both ends: 'demo@<1..3>.service'",
  });
}

function syntax(argument: string, why: string): ClusterError {
  return new ClusterError('range-syntax', `cannot read the range in ${JSON.stringify(argument)}: ${why}`, {
    hint: "ranges look like '<1..3>' or '{a,b}'",
  });
}

function tooLarge(argument: string, limit: number): ClusterError {
  return new ClusterError(
    'range-too-large',
    `${JSON.stringify(argument)} stands for more than ${limit} units`,
    {
      hint: 'use a smaller range, or several arguments',
    },
  );
}
