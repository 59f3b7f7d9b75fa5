import { ClusterError } from '../error.ts';
import type { Change, EventRecord } from '../registry/index.ts';
import { compileGlob, mangle } from '../unit/index.ts';
import type { Session } from './session.ts';

export interface EventFilter {
  /** Unit name or a pattern's test. */
  readonly unit?: (name: string) => boolean;
  /** Machine id, or the beginning of one. */
  readonly machine?: string;
  /** Nothing older. */
  readonly since?: Date;
}

/** What a person asks for. @throws `bad-time`. */
export function eventFilter(
  asked: {
    readonly unit?: string | undefined;
    readonly machine?: string | undefined;
    readonly since?: string | undefined;
  },
  now: Date,
): EventFilter {
  const { unit, machine, since } = asked;
  return {
    ...(unit !== undefined && { unit: namesUnit(unit) }),
    ...(machine !== undefined && { machine }),
    ...(since !== undefined && { since: parseSince(since, now) }),
  };
}

function namesUnit(text: string): (name: string) => boolean {
  if (!/[*?[]/.test(text)) return (name) => name === mangle(text);
  const glob = compileGlob(text);
  return (name) => glob.test(name) || glob.test(name.replace(/\.service$/, ''));
}

/** What was written to the registry and fits, oldest first. */
export async function listEvents(session: Session, filter: EventFilter): Promise<EventRecord[]> {
  const { events } = await (await session.events()).load();
  return events.filter((event) => fits(event, filter));
}

/** The same, and then what is written until the signal aborts. */
export async function* followEvents(
  session: Session,
  filter: EventFilter,
  signal: AbortSignal,
): AsyncIterable<EventRecord> {
  const registry = await session.events();
  const state = await registry.load();
  for (const event of state.events) if (fits(event, filter)) yield event;
  for await (const event of registry.watch(state, signal)) if (fits(event, filter)) yield event;
}

function fits({ at, changes }: EventRecord, { unit, machine, since }: EventFilter): boolean {
  if (since !== undefined && new Date(at) < since) return false;
  const about = (change: Change): boolean =>
    (unit === undefined || (change.kind === 'unit' && unit(change.name))) &&
    (machine === undefined || isOn(change, machine));
  return changes.some(about);
}

function isOn(change: Change, machine: string): boolean {
  const id = change.kind === 'machine' ? change.name : (change.machine ?? '');
  return id !== '' && id.startsWith(machine);
}

const UNITS: Readonly<Record<string, number>> = { s: 1, min: 60, m: 60, h: 3600, d: 86_400 };

/** A time as ISO 8601, or how long ago: `15min`, `2h`, `3d`. @throws `bad-time`. */
export function parseSince(text: string, now: Date): Date {
  const [, amount, unit] = /^(\d+)\s*(s|min|m|h|d)$/.exec(text.trim()) ?? [];
  if (amount !== undefined)
    return new Date(now.getTime() - Number(amount) * (UNITS[unit ?? 's'] ?? 1) * 1000);
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? new Date(text) : new Date(Number.NaN);
  if (!Number.isNaN(time.getTime())) return time;
  throw new ClusterError('bad-time', `--since "${text}" is no time`, {
    hint: "such as 30min, 2h, 3d, 2026-01-31 or '2026-01-31T08:00:00Z'",
  });
}
