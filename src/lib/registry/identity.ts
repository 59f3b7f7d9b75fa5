import { randomBytes } from 'node:crypto';

/**
 * Which registry this is, and how far its history goes. `generation` grows with every change of machines and units; it
 * is our own count, because a store's revision does not survive a copy or a restored backup.
 */
export interface RegistryIdentity {
  /** 32 hexadecimal digits; null before the first write. */
  readonly id: string | null;
  /** 0 before the first change that was counted. */
  readonly generation: number;
  /** A random mark of each of the newest generations, the newest last: two histories of one registry differ in them. */
  readonly marks: string;
}

/** Where `registry copy` took a registry. */
export interface MovedTo {
  readonly v: 1;
  /** Of an etcd. */
  readonly endpoints: readonly string[];
  /** Key prefixes there. */
  readonly prefix: string;
  readonly trafficPrefix: string;
}

/** What a machine carries of the registry that changed it last. */
export interface SeenIdentity {
  readonly cluster: string;
  readonly generation: number;
  readonly mark: string;
}

export const NO_IDENTITY: RegistryIdentity = { id: null, generation: 0, marks: '' };

const MARK = 6;
const MARKS_KEPT = 128;

/** The identity after one more change; a registry without an id gets one. */
export function nextIdentity({ id, generation, marks }: RegistryIdentity): RegistryIdentity & { id: string } {
  const mark = randomBytes(MARK / 2).toString('hex');
  return {
    id: id ?? randomBytes(16).toString('hex'),
    generation: generation + 1,
    marks: (marks + mark).slice(-MARK * MARKS_KEPT),
  };
}

/** What a machine carries after a change of this generation; null while the registry has no id. */
export function seenOf({ id, generation, marks }: RegistryIdentity): SeenIdentity | null {
  return id === null ? null : { cluster: id, generation, mark: marks.slice(-MARK) || '0' };
}

/**
 * What a registry is to a machine: its own (`same`), another cluster's (`other`), an older state than the machine has
 * seen (`older`), or one that has changed in another way since they were the same (`diverged`).
 */
export function compareIdentity(
  registry: RegistryIdentity,
  { cluster, generation, mark }: SeenIdentity,
): 'same' | 'other' | 'older' | 'diverged' {
  if (cluster !== registry.id) return 'other';
  if (generation > registry.generation) return 'older';
  const end = registry.marks.length - (registry.generation - generation) * MARK;
  // Of a generation before the oldest mark that is kept, nobody can tell.
  const known = end < MARK ? '' : registry.marks.slice(end - MARK, end);
  return known === '' || mark === known || mark.length !== MARK ? 'same' : 'diverged';
}

/** @throws Error that says what is wrong, as the two below. */
export function readId(value: unknown): string {
  const { v, id } = (value ?? {}) as { v?: unknown; id?: unknown };
  if (v === 1 && typeof id === 'string' && /^[0-9a-f]{32}$/.test(id)) return id;
  throw new Error('this is not the id of a cluster');
}

export function readGeneration(value: unknown): Omit<RegistryIdentity, 'id'> {
  const { v, generation, marks } = (value ?? {}) as { v?: unknown; generation?: unknown; marks?: unknown };
  if (v === 1 && Number.isSafeInteger(generation) && typeof marks === 'string')
    return { generation: generation as number, marks };
  throw new Error('this is not a count of changes');
}

export function readMoved(value: unknown): MovedTo {
  const { v, endpoints, prefix, trafficPrefix } = (value ?? {}) as Partial<MovedTo>;
  const valid =
    v === 1 &&
    Array.isArray(endpoints) &&
    [...endpoints, prefix, trafficPrefix].every((item) => typeof item === 'string');
  if (valid) return value as MovedTo;
  throw new Error('this does not say where the registry is now');
}

/** A mark that cannot be read is one: the registry is at another place, nobody knows where. */
export const MOVED_SOMEWHERE: MovedTo = { v: 1, endpoints: [], prefix: '', trafficPrefix: '' };
