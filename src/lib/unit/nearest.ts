import { distance } from 'fastest-levenshtein';

/**
 * Candidates that `word` may stand for (case-insensitive): first those that begin with it, then those within a few
 * edits, closest first, at most `most`. Equally close candidates keep their order.
 */
export function nearestAll(word: string, candidates: Iterable<string>, most = 3): string[] {
  const limit = word.length <= 3 ? 1 : Math.max(2, Math.floor(word.length * 0.4));
  const lower = word.toLowerCase();
  return [...new Set(candidates)]
    .map((candidate) => ({ candidate, cost: cost(lower, candidate.toLowerCase(), limit) }))
    .filter((near) => near.cost <= limit)
    .sort((a, b) => a.cost - b.cost)
    .slice(0, most)
    .map(({ candidate }) => candidate);
}

/** The candidate closest to `word`, or null when none is close enough. */
export function nearest(word: string, candidates: Iterable<string>): string | null {
  return nearestAll(word, candidates, 1)[0] ?? null;
}

function cost(word: string, candidate: string, limit: number): number {
  if (word.length > 1 && candidate.startsWith(word)) return 0;
  if (Math.abs(candidate.length - word.length) > limit) return Number.POSITIVE_INFINITY;
  return distance(word, candidate);
}
