/**
 * RE2 expressions as PCRE2 reads them, or the reason why not. Pure: it must not know routes.
 */
import { ASCII, type CharSet, single } from './charset.ts';
import type { Re } from './re2.ts';

/**
 * Most places where a search has to try both ways: each can make it slower by the subject's length. (HAProxy's PCRE2
 * gives up after ten million steps, about 40 ms, and then reports no match.)
 */
const MAX_UNDECIDED = 4;

/** A place in an expression where a character is read. */
type Position = { readonly set: CharSet };

/** Glushkov's facts of an expression; a position that can follow in two ways is in the list twice. */
interface Facts {
  readonly nullable: boolean;
  readonly first: readonly Position[];
  readonly last: readonly Position[];
}

type Follow = Map<Position, Position[]>;

/** More sets than there are bytes to tell apart must overlap; longer lists would tell nothing more. */
const MAX_CHOICES = ASCII + 2;

/**
 * Whether a backtracking search may need exponential time: a repetition whose body can read the same text in two ways
 * (`(a+)+`, `(a|ab?)*`), or too many repetitions that cannot know where they end (`.*a.*b`). Harmless expressions may be among them.
 */
export function backtracks(re: Re): boolean {
  return hasAmbiguousLoop(re) || undecided(re) > MAX_UNDECIDED;
}

/** Endless repetitions that what follows them overlaps with. */
function undecided(re: Re): number {
  const follow: Follow = new Map();
  facts(re, follow);
  return [...follow].filter(([position, choices]) => choices.includes(position) && overlap(choices)).length;
}

function hasAmbiguousLoop(re: Re): boolean {
  switch (re.kind) {
    case 'cat':
    case 'alt':
      return re.items.some(hasAmbiguousLoop);
    case 'capture':
      return hasAmbiguousLoop(re.item);
    case 'repeat':
      // What is ambiguous inside is ambiguous in the whole loop too, so the outermost one is enough.
      return re.max > 1 && re.item.kind !== 'set' ? isAmbiguous(re) : hasAmbiguousLoop(re.item);
    default:
      return false;
  }
}

function isAmbiguous(loop: Re): boolean {
  const follow: Follow = new Map();
  const { first } = facts(loop, follow);
  return [first, ...follow.values()].some(overlap);
}

/** Whether one character can be read at two of the positions. */
function overlap(choices: readonly Position[]): boolean {
  if (choices.length >= MAX_CHOICES) return true;
  const seen: boolean[] = [];
  return choices.some(({ set: { ascii, high } }) => {
    const codes = ascii.flatMap((has, code) => (has ? [code] : []));
    if (high) codes.push(ASCII);
    const again = codes.some((code) => seen[code]);
    for (const code of codes) seen[code] = true;
    return again;
  });
}

function facts(re: Re, follow: Follow): Facts {
  switch (re.kind) {
    case 'set':
    case 'wide': {
      // Bytes above ASCII are all alike here: two that differ count as the same, which is the safe side.
      const position = { set: re.kind === 'set' ? re.set : { ...single(-1), high: true } };
      follow.set(position, []);
      return { nullable: false, first: [position], last: [position] };
    }
    case 'assert':
      return { nullable: true, first: [], last: [] };
    case 'capture':
      return facts(re.item, follow);
    case 'alt': {
      const all = re.items.map((item) => facts(item, follow));
      return {
        nullable: all.some(({ nullable }) => nullable),
        first: all.flatMap(({ first }) => first),
        last: all.flatMap(({ last }) => last),
      };
    }
    case 'cat':
      return re.items.reduce<Facts>((head, item) => chain(head, facts(item, follow), follow), {
        nullable: true,
        first: [],
        last: [],
      });
    case 'repeat': {
      const inner = facts(re.item, follow);
      if (re.max > 1) link(inner.last, inner.first, follow);
      return { ...inner, nullable: inner.nullable || re.min === 0 };
    }
  }
}

function chain(head: Facts, tail: Facts, follow: Follow): Facts {
  link(head.last, tail.first, follow);
  return {
    nullable: head.nullable && tail.nullable,
    first: head.nullable ? [...head.first, ...tail.first] : head.first,
    last: tail.nullable ? [...head.last, ...tail.last] : tail.last,
  };
}

function link(from: readonly Position[], to: readonly Position[], follow: Follow): void {
  for (const position of from) {
    const known = follow.get(position) ?? [];
    known.push(...to.slice(0, Math.max(0, MAX_CHOICES - known.length)));
  }
}
