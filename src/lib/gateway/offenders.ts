import { readTraffic, type TrafficState } from '../traffic/index.ts';
import { entriesOf } from './state-file.ts';

/** Paths whose values differ between two states, in the order of `wanted`; with `before` null all of them. */
export function changedPaths(before: TrafficState | null, wanted: TrafficState): string[] {
  const paths: string[] = [];
  for (const [path, { revision }] of wanted.stored)
    if (before?.stored.get(path)?.revision !== revision) paths.push(path);
  for (const path of before?.stored.keys() ?? []) if (!wanted.stored.has(path)) paths.push(path);
  return paths;
}

/** `wanted`, but with these paths as `before` has them (absent where it has none). */
export function holdBack(
  before: TrafficState | null,
  wanted: TrafficState,
  paths: Iterable<string>,
): TrafficState {
  const held = new Set(paths);
  if (held.size === 0) return wanted;
  const kept = before === null ? [] : entriesOf(before).filter(({ path }) => held.has(path));
  const entries = entriesOf(wanted).filter(({ path }) => !held.has(path));
  return readTraffic('', [...entries, ...kept], wanted.revision);
}

/**
 * Finds by halving which changes keep `wanted` from being accepted; all others are accepted together.
 * @param refusal why a state is refused, or null.
 * @param tries how often `refusal` may be called; every change that is undecided then counts as an offender.
 * @returns path -> why it is refused.
 */
export async function findOffenders(
  before: TrafficState | null,
  wanted: TrafficState,
  refusal: (state: TrafficState) => Promise<string | null>,
  tries = 40,
): Promise<Map<string, string>> {
  const changed = changedPaths(before, wanted);
  const offenders = new Map<string, string>();
  const accepted = new Set<string>();
  let left = tries;

  const judge = async (group: readonly string[], known: string | null): Promise<void> => {
    if (group.length === 0) return;
    let reason = known;
    if (reason === null) {
      const held = changed.filter((path) => !accepted.has(path) && !group.includes(path));
      reason = left-- > 0 ? await refusal(holdBack(before, wanted, held)) : 'not tried';
    }
    if (reason === null) {
      for (const path of group) accepted.add(path);
      return;
    }
    if (group.length === 1 || left <= 0) {
      for (const path of group) offenders.set(path, reason);
      return;
    }
    const half = group.length >> 1;
    await judge(group.slice(0, half), null);
    await judge(group.slice(half), null);
  };

  await judge(changed, 'refused');
  return offenders;
}
