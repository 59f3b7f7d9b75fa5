import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { ClusterError } from '../error.ts';
import { nearest } from '../unit/nearest.ts';
import { EXAMPLE } from './example.ts';
import { type Kind, problemWith } from './kind.ts';
import { requireOwn } from './trust.ts';

/** One value from a file, with its file and line. Lists are joined by commas. */
export interface Found {
  readonly value: string;
  readonly file: string;
  readonly line: number;
}

/** Who runs this, where a file of another user must not be used. */
export interface FileUser {
  readonly uid: number;
  /** The user that sudo was called by. */
  readonly sudoUid?: number;
}

/**
 * Reads one configuration file; undefined when it does not exist. Keys are dotted (`etcd.timeout`).
 * @param user given: a file that somebody else could have written is refused.
 */
export async function readFileValues(
  file: string,
  user?: FileUser,
): Promise<ReadonlyMap<string, Found> | undefined> {
  let text: string;
  try {
    text = readChecked(file, user);
  } catch (cause) {
    if (cause instanceof ClusterError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new ClusterError('config-invalid', `cannot read ${file}: ${code}`, {
      file,
      hint: 'make it a readable file, or remove it',
      cause,
    });
  }
  return parseValues(file, text, await schema());
}

/**
 * The text of the file that was judged, even when its name stands for another one a moment later. Synchronous: nothing
 * else can begin before, and that it does not exist, as usual, is said much sooner.
 */
function readChecked(file: string, user: FileUser | undefined): string {
  const descriptor = openSync(file, 'r');
  try {
    if (user !== undefined) requireOwn(file, fstatSync(descriptor), user.uid, user.sudoUid);
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

/** Allowed keys and the kind of their values, as the example file shows them. */
export async function schema(): Promise<ReadonlyMap<string, Kind>> {
  const kinds = new Map<string, Kind>();
  const { parseDocument, isMap } = await import('yaml');
  const root = parseDocument(EXAMPLE).contents;
  const visit = (node: unknown, prefix: string): void => {
    if (!isMap(node)) return;
    for (const { key, value } of node.items) {
      const { value: name, commentBefore } = key as { value: string; commentBefore?: string | null };
      if (isMap(value)) {
        kinds.set(prefix + name, { type: 'section' });
        visit(value, `${prefix}${name}.`);
      } else {
        kinds.set(prefix + name, kindOf((value as { toJSON(): unknown }).toJSON(), commentBefore ?? ''));
      }
    }
  };
  visit(root, '');
  return kinds;
}

function kindOf(value: unknown, comment: string): Kind {
  const choices = /One of: (.+)/.exec(comment)?.[1];
  if (choices !== undefined) return { type: 'choice', choices: choices.split(', ') };
  if (Array.isArray(value)) return { type: 'list' };
  if (typeof value === 'number') return { type: 'number' };
  if (!/^\d+(ms|s|m)$/.test(String(value))) return { type: 'text' };
  return { type: /\b0 = /.test(comment) ? 'duration-or-none' : 'duration' };
}

async function parseValues(
  file: string,
  text: string,
  kinds: ReadonlyMap<string, Kind>,
): Promise<ReadonlyMap<string, Found>> {
  const { LineCounter, parseDocument, isMap, isScalar, isSeq } = await import('yaml');
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number | undefined): number => Math.max(1, lines.linePos(offset ?? 0).line);
  const fail = (line: number, message: string, hint: string): never => {
    throw new ClusterError('config-invalid', `${file}:${line}: ${message}`, { file, line, hint });
  };
  const broken = document.errors[0];
  if (broken)
    fail(at(broken.pos[0]), `not valid YAML: ${broken.message}`, 'docs/cluster.example.yaml shows every key');

  const found = new Map<string, Found>();
  const visit = (node: unknown, prefix: string, line: number): undefined => {
    if (node === null || (isScalar(node) && node.value === null)) return;
    if (!isMap(node)) {
      const where = prefix === '' ? 'the file' : prefix.slice(0, -1);
      return fail(line, `${where} must hold keys with values`, 'docs/cluster.example.yaml shows every key');
    }
    for (const { key, value } of node.items) {
      const start = (key as { range?: readonly number[] | null }).range?.[0];
      const name = `${prefix}${isScalar(key) ? String(key.value) : '?'}`;
      visitKey(name, value, at(start));
    }
  };
  const visitKey = (name: string, value: unknown, line: number): undefined => {
    const kind = kinds.get(name);
    if (kind === undefined) {
      const near = nearest(name, kinds.keys());
      const hint = near ? `did you mean ${near}?` : 'docs/cluster.example.yaml shows every key';
      return fail(line, `unknown key ${name}`, hint);
    }
    if (kind.type === 'section') return visit(value, `${name}.`, line);
    const items = isSeq(value) && kind.type === 'list' ? value.items : [value];
    const scalars = items.map((item) => (isScalar(item) ? item.value : item === null ? null : undefined));
    if (scalars.length === 1 && scalars[0] === null) return;
    if (!scalars.every((item) => typeof item === 'string' || typeof item === 'number')) {
      return fail(line, `${name} has a value of the wrong type`, `expected ${expectation(kind)}`);
    }
    const joined = scalars.join(',');
    const problem = problemWith(kind, joined);
    if (problem !== undefined) return fail(line, `${name} is '${joined}'`, problem);
    found.set(name, { value: joined, file, line });
  };
  visit(document.contents, '', 1);
  return found;
}

function expectation(kind: Kind): string {
  const words = {
    list: 'a list of strings',
    number: 'a whole number',
    duration: 'a duration such as 3s',
    'duration-or-none': 'a duration such as 3s, or 0',
    text: 'a string',
  };
  if (kind.type === 'choice') return `one of: ${kind.choices.join(', ')}`;
  return kind.type === 'section' ? 'keys with values' : words[kind.type];
}
