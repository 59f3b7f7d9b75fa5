import { ClusterError } from '../../error.ts';
import type { TrafficRegistry } from '../../registry/index.ts';
import { inBatches } from '../../store/limits.ts';
import {
  checkId,
  durationMs,
  encode,
  type JsonObject,
  keepUnknown,
  type TrafficState,
} from '../../traffic/index.ts';
import { nearest } from '../../unit/index.ts';
import type { Session } from '../session.ts';

/** The traffic registry as it was read. */
export interface Traffic {
  readonly registry: TrafficRegistry;
  readonly state: TrafficState;
}

/** Reads everything; broken values are announced and left alone. */
export async function loadTraffic(session: Session): Promise<Traffic> {
  const registry = await session.traffic();
  const state = await registry.load();
  for (const problem of state.problems.values()) session.emit({ kind: 'problem', ...problem });
  return { registry, state };
}

/** vctl's words for what is not there, then what was looked for and what may have been meant. */
export function notFound(
  what: string,
  id: string,
  known: Iterable<string>,
  list = `cluster ${what} ls`,
): ClusterError {
  const near = nearest(id, known);
  return new ClusterError('not-found', `Key not found: there is no ${what} ${id}`, {
    hint: near === null ? list : `did you mean ${near}? (${list})`,
  });
}

/** One of these, or an error that says how it is broken or that it is not there. */
export function existing<Value>(
  { state, registry }: Traffic,
  what: string,
  id: string,
  all: ReadonlyMap<string, Value>,
  path: string,
  list?: string,
): Value {
  const found = all.get(id);
  if (found !== undefined) return found;
  const problem = state.problems.get(path);
  if (problem === undefined) throw notFound(what, id, all.keys(), list);
  throw new ClusterError('broken-value', `${what} ${id} does not read well: ${problem.message}`, {
    key: registry.prefix + path,
    hint: `write it again (cluster ${what} upsert) or remove it (cluster ${what} rm)`,
  });
}

/** The id that was given, checked; `empty` is vctl's text for none. */
export function givenId(what: string, id: string | undefined, empty: string, hint: string): string {
  if (id === undefined || id === '') throw new ClusterError('missing-id', empty, { hint });
  checkId(what, id);
  return id;
}

/** The value that a reader takes; what it complains of becomes an error of one line. */
export function checked<Value>(what: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (error instanceof ClusterError || !(error instanceof Error)) throw error;
    const message = error.message.length > 300 ? `${error.message.slice(0, 300)}...` : error.message;
    throw new ClusterError('bad-value', message, { hint: `cluster ${what} upsert --help` });
  }
}

/** What a key hangs on: a new lease for a ttl, none for `0`, the one it has where nothing is said. */
export async function leaseFor(
  session: Session,
  { state }: Traffic,
  path: string,
  ttl: string | undefined,
): Promise<{ lease?: string }> {
  if (ttl === undefined) {
    const lease = state.stored.get(path)?.lease ?? null;
    return lease === null ? {} : { lease };
  }
  const ms = durationMs('--ttl', ttl);
  if (ms === 0) return {};
  if (ms < 1000 || ms > YEAR_MS)
    throw new ClusterError('bad-ttl', `--ttl ${ttl} is ${ms < 1000 ? 'less than 1s' : 'more than 8760h'}`, {
      hint: 'such as --ttl 11s; 0 for no end',
    });
  return { lease: await (await session.traffic()).lease(Math.ceil(ms / 1000)) };
}

const YEAR_MS = 8760 * 3_600_000;

/** Stands this in the store already, word for word, and is nothing said of its end? */
export function unchanged({ state }: Traffic, path: string, value: JsonObject, options: PutOptions): boolean {
  const stored = state.stored.get(path)?.value ?? null;
  if (stored === null || options.ttl !== undefined) return false;
  return encode(options.whole ? value : keepUnknown(stored, value)) === encode(stored);
}

export interface PutOptions {
  readonly ttl?: string | undefined;
  /** Paths that must still be as they were read. */
  readonly guards?: readonly string[];
  readonly whole?: true;
}

/** What became of one object. */
export interface Written {
  /** The revision that has it so. */
  readonly revision: number;
  /** Was anything written? */
  readonly changed: boolean;
}

/** What a command did to one object, for people and programs. */
export interface Change extends Written {
  readonly kind: string;
  readonly id: string;
  readonly action: 'upserted' | 'removed';
  /** As it is now, in vulcand's fields; null = it is gone. */
  readonly object: object | null;
}

export const upserted = (kind: string, id: string, object: object, written: Written): Change => ({
  kind,
  id,
  action: 'upserted',
  object,
  ...written,
});

export const removed = (kind: string, id: string, written: Written): Change => ({
  kind,
  id,
  action: 'removed',
  object: null,
  ...written,
});

/** Writes one object, unless it stands there already. */
export async function put(
  session: Session,
  traffic: Traffic,
  path: string,
  value: JsonObject,
  options: PutOptions = {},
): Promise<Written> {
  const { registry, state } = traffic;
  const { ttl, guards = [], whole } = options;
  const stored = state.stored.get(path);
  if (stored !== undefined && unchanged(traffic, path, value, options))
    return { revision: stored.revision, changed: false };
  const lease = await leaseFor(session, traffic, path, ttl);
  const edit = { put: path, value, ...lease, ...(whole && { whole }) };
  return { revision: await registry.change(state, [edit], guards), changed: true };
}

/**
 * Removes exactly these keys, `own` last, so that a run that is cut off is finished by the next.
 * @param also writes that go with the last of them.
 */
export async function removeAll(
  { registry, state }: Traffic,
  own: string,
  children: readonly string[],
  also: Parameters<TrafficRegistry['change']>[3] = [],
): Promise<Written> {
  const paths = [...children, own].filter((path) => state.stored.has(path));
  const batches = inBatches(paths);
  let revision = state.revision;
  for (const [index, batch] of batches.entries()) {
    const last = index === batches.length - 1;
    revision = await registry.change(
      state,
      batch.map((remove) => ({ remove })),
      last ? [own] : [],
      last ? also : [],
    );
  }
  return { revision, changed: paths.length > 0 };
}

/** Nothing to remove is no failure, as with vctl, so that a clean-up may run twice; but a slip should show. */
export function warnAbsent(session: Session, what: string, id: string, known: Iterable<string>): void {
  const near = nearest(id, known);
  const meant = near === null ? '' : `; did you mean ${near}?`;
  session.emit({ kind: 'warning', message: `there was no ${what} ${id}${meant}` });
}
