import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readTraffic, type StoredEntry, type TrafficState } from '../traffic/index.ts';
import { writeWhole } from './write-whole.ts';

/** A state as its stored values. A value that was not a JSON object comes back as `null`, which is not one either. */
export function entriesOf(state: TrafficState): StoredEntry[] {
  return [...state.stored].map(([path, { value, revision, lease }]) => ({
    path,
    value: JSON.stringify(value),
    revision,
    lease,
  }));
}

/** Saves the last state that was served, for a start without the registry. */
export async function saveState(path: string, prefix: string, state: TrafficState): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const entries = entriesOf(state).map((entry) => [entry.path, entry.value, entry.revision]);
  await writeWhole(path, JSON.stringify({ v: 1, prefix, revision: state.revision, entries }));
}

/** null where there is no file, or none of this prefix that can be read. */
export async function loadState(path: string, prefix: string): Promise<TrafficState | null> {
  try {
    const saved: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (!isSaved(saved) || saved.prefix !== prefix) return null;
    const entries = saved.entries.map(([path, value, revision]) => ({ path, value, revision, lease: null }));
    return readTraffic(prefix, entries, saved.revision);
  } catch {
    return null;
  }
}

interface Saved {
  readonly prefix: string;
  readonly revision: number;
  readonly entries: readonly [path: string, value: string, revision: number][];
}

function isSaved(value: unknown): value is Saved {
  if (typeof value !== 'object' || value === null) return false;
  const { v, prefix, revision, entries } = value as Partial<Saved> & { v?: unknown };
  return v === 1 && typeof prefix === 'string' && typeof revision === 'number' && Array.isArray(entries);
}
