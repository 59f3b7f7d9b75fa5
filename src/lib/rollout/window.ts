import { ClusterError, EXIT } from '../error.ts';

/** A time of the week, by the clock of a time zone. */
export interface Window {
  /** Days on which it opens, 0 = Sunday. */
  readonly days: readonly number[];
  /** Minutes after midnight at which it opens. */
  readonly start: number;
  /** How long it is open, in minutes. */
  readonly minutes: number;
  /** IANA name, such as `Europe/Berlin`. */
  readonly zone: string;
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const EVERY_DAY = [0, 1, 2, 3, 4, 5, 6];
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;

/**
 * A window as a person writes it: `Thu 23:00 1h30m`, `Mon-Fri 22:00 2h`, `02:00 30m Europe/Berlin`. Without a zone it is
 * in `zone`.
 * @throws `bad-window` (exit 64) for what is none, what never opens, and an unknown zone.
 */
export function parseWindow(text: string, zone: string): Window {
  const match =
    /^(?:([a-z][a-z,-]*|\*)\s+)?(\d{1,2}):(\d{2})\s+((?:\d{1,4}h)?(?:\d{1,5}m)?)(?:\s+([A-Za-z][\w+/-]*))?$/i.exec(
      text.trim(),
    );
  if (match === null || match[4] === '') throw badWindow(text, 'is not a day, a time and a duration');
  const [, days = '*', hours, minutes, duration = '', ownZone] = match;
  const start = Number(hours) * 60 + Number(minutes);
  if (Number(hours) > 23 || Number(minutes) > 59)
    throw badWindow(text, `never opens: there is no time ${hours}:${minutes}`);
  const [, h = '0', m = '0'] = /^(?:(\d+)h)?(?:(\d+)m)?$/.exec(duration) ?? [];
  const length = Number(h) * 60 + Number(m);
  if (length === 0) throw badWindow(text, 'never opens: its duration is 0');
  if (length > DAY_MINUTES) throw badWindow(text, 'is open for more than a day; name more days instead');
  const named = ownZone ?? zone;
  if (!isZone(named)) throw badWindow(text, `names no time zone that is known: ${named}`);
  return { days: daysOf(text, days), start, minutes: length, zone: named };
}

function daysOf(text: string, words: string): readonly number[] {
  if (words === '*' || words.toLowerCase() === 'daily') return EVERY_DAY;
  const days = new Set<number>();
  for (const part of words.split(',')) {
    const [first = '', last = first, ...rest] = part.split('-');
    const [from, to] = [dayOf(first), dayOf(last)];
    if (from < 0 || to < 0 || rest.length > 0) throw badWindow(text, `names no day of the week: ${part}`);
    for (let day = from; ; day = (day + 1) % 7) {
      days.add(day);
      if (day === to) break;
    }
  }
  return [...days].sort();
}

/** Three letters or more of a day's English name. */
const LONG = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const dayOf = (word: string): number =>
  word.length < 3 ? -1 : LONG.findIndex((name) => name.startsWith(word.toLowerCase()));

function isZone(zone: string): boolean {
  try {
    formatOf(zone);
    return true;
  } catch {
    return false;
  }
}

function badWindow(text: string, what: string): ClusterError {
  return new ClusterError('bad-window', `--window ${JSON.stringify(text.slice(0, 60))} ${what}`, {
    hint: "days, time, duration and, if you like, a time zone: 'Thu 23:00 1h30m', 'Mon-Fri 02:00 45m Europe/Berlin'; nothing was changed",
    exit: EXIT.usage,
  });
}

/** Whether it is open at this moment (milliseconds since 1970). */
export function isOpen(window: Window, at: number): boolean {
  return openings(window, at).some((open) => open <= at && at < open + window.minutes * MINUTE_MS);
}

/** When it opens next, after this moment. */
export function opensAt(window: Window, at: number): number {
  return Math.min(...openings(window, at).filter((open) => open > at));
}

/** A window as it is written, always with its zone. */
export function formatWindow({ days, start, minutes, zone }: Window): string {
  const names = days.length === 7 ? '' : `${days.map((day) => DAYS[day]).join(',')} `;
  const two = (value: number): string => String(value).padStart(2, '0');
  const length = `${minutes >= 60 ? `${Math.floor(minutes / 60)}h` : ''}${minutes % 60 ? `${minutes % 60}m` : ''}`;
  return `${names}${two(Math.floor(start / 60))}:${two(start % 60)} ${length} ${zone}`;
}

/** A moment by the clock of a zone: `2026-11-26 23:00`. */
export function formatMoment(at: number, zone: string): string {
  return new Date(at + offsetOf(at, zone)).toISOString().slice(0, 16).replace('T', ' ');
}

/** The moments at which it opens, from two days before to a week and a day after. */
function openings({ days, start, zone }: Window, at: number): number[] {
  const local = at + offsetOf(at, zone);
  const today = Math.floor(local / DAY_MS) * DAY_MS;
  const out: number[] = [];
  for (let day = -2; day <= 8; day++) {
    const midnight = today + day * DAY_MS;
    if (days.includes(new Date(midnight).getUTCDay())) out.push(momentOf(midnight + start * MINUTE_MS, zone));
  }
  return out;
}

/** The moment at which clocks of the zone show this; a time that is left out in spring is so much later. */
function momentOf(local: number, zone: string): number {
  const first = local - offsetOf(local, zone);
  return local - offsetOf(first, zone);
}

/** How far clocks of the zone are ahead of UTC, in milliseconds. */
function offsetOf(at: number, zone: string): number {
  const part = Object.fromEntries(
    formatOf(zone)
      .formatToParts(at)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000;
}

/** Making one takes longer than all else here. */
const FORMATS = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = FORMATS.get(zone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  FORMATS.set(zone, format);
  return format;
}
