import type { TrafficWanted } from '../lib/control/known-names.ts';
import { within } from '../lib/within.ts';
import { TOPICS } from './about.ts';
import { trafficPlace } from './complete-traffic.ts';
import { findCommand } from './find.ts';
import { readManifest } from './manifest.ts';

interface Names {
  readonly units: readonly string[];
  readonly machines: readonly string[];
}

const NO_NAMES: Names = { units: [], machines: [] };
const TAKES_MACHINES = /^(machine:|ssh$|lab:ssh$)/;
const TAKES_NO_NAMES =
  /^(version|help|completion|complete|machine:add|connections:.*|list-.*|lab:(?!ssh).*)$/;

/** What the last of `words` (what follows `cluster`; it may be empty) may become. */
export async function candidates(words: readonly string[]): Promise<string[]> {
  const current = words.at(-1) ?? '';
  const done = words.slice(0, -1);
  const { commands } = await readManifest();
  const ids = Object.keys(commands).filter((id) => commands[id]?.hidden !== true);
  const found = findCommand(done, new Set(ids));
  const matching = (names: readonly string[]) => names.filter((name) => name.startsWith(current)).sort();
  if (found === undefined) return matching(nextWords(ids, done));
  const place = trafficPlace(
    found.id,
    [...found.rest, current],
    commands[found.id] ?? { flags: {}, args: {} },
  );
  if (place?.wanted) {
    const { before, wanted } = place;
    return matching((await trafficIds(wanted)).map((name) => before + name));
  }
  if (current.startsWith('-')) {
    const flags = Object.entries(commands[found.id]?.flags ?? {});
    return matching([...flags.filter(([, flag]) => !flag.hidden).map(([name]) => `--${name}`), '--help']);
  }
  if (found.id === 'completion') return matching(['bash', 'zsh', 'fish']);
  if (found.id === 'help') return matching(nextWords(ids, found.rest));
  if (place !== null || TAKES_NO_NAMES.test(found.id)) return [];
  const { units, machines } = await names();
  if (!TAKES_MACHINES.test(found.id)) return matching(units);
  return matching(found.id === 'ssh' ? [...machines, ...units] : machines);
}

function nextWords(ids: readonly string[], done: readonly string[]): string[] {
  const prefix = done.map((word) => `${word}:`).join('');
  if (prefix !== '' && TOPICS[done[0] ?? ''] === undefined) return [];
  const rest = ids
    .filter((id) => id.startsWith(prefix))
    .map((id) => id.slice(prefix.length).split(':')[0] ?? '');
  return [...new Set(rest)];
}

async function names(): Promise<Names> {
  return await quietly(
    async () => await (await import('../lib/control/known-names.ts')).knownNames(),
    NO_NAMES,
  );
}

async function trafficIds(wanted: TrafficWanted): Promise<string[]> {
  return await quietly(
    async () => await (await import('../lib/control/known-names.ts')).knownIds(wanted),
    [],
  );
}

/** How long a completion may take. */
const BUDGET_MS = 1000;

/** Completion never fails, prints or hangs: when the registry cannot be reached in time there are no names. */
async function quietly<Found>(look: () => Promise<Found>, none: Found): Promise<Found> {
  return await within(
    BUDGET_MS,
    look().catch(() => none),
    none,
  );
}
