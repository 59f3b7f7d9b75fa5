import { componentDepths, findComponents } from './components.ts';
import type { Wanted, WantedUnits } from './units.ts';

export interface Order {
  /** Ordinary units in the order in which they are decided: replacers and leaders first, then by name. */
  readonly sequence: readonly number[];
  /** True for a unit whose MachineOf leads back to itself, directly or through others. */
  readonly circular: Uint8Array;
  /** Number of the Replaces circle that a unit is in; units of one circle do not replace each other. */
  readonly circle: Int32Array;
  /** How many units share the circle. */
  readonly circleSize: (unit: number) => number;
}

/** Decides who is decided first. Without Replaces that is: by length of the MachineOf chain, then by name. */
export function orderUnits(units: WantedUnits): Order {
  const { list } = units;
  const followers = followersOf(list);
  const { depth, circular } = chainDepth(list, followers);
  const circles = units.anyReplaces ? findCircles(units, followers, circular) : null;
  const sequence = list.filter((u) => !u.global).map((u) => u.index);
  const at = (numbers: Int32Array, i: number): number => numbers[i] as number;
  sequence.sort((a, b) => {
    if (circles !== null) {
      const byCircle = at(circles.depth, a) - at(circles.depth, b);
      if (byCircle !== 0) return byCircle;
    }
    return at(depth, a) - at(depth, b) || a - b;
  });
  const circle = circles?.circle ?? new Int32Array(0);
  return {
    sequence,
    circular,
    circle,
    circleSize: (unit) => circles?.sizes[at(circle, unit)] ?? 1,
  };
}

/** For each unit the units that name it in MachineOf. */
export function followersOf(list: readonly Wanted[]): ReadonlyMap<number, readonly number[]> {
  const followers = new Map<number, number[]>();
  for (const unit of list) {
    for (const leader of new Set(unit.leaders)) {
      if (leader < 0) continue;
      const known = followers.get(leader);
      if (known === undefined) followers.set(leader, [unit.index]);
      else known.push(unit.index);
    }
  }
  return followers;
}

/** Length of the longest chain of leaders above each unit, and which units are part of a circle or follow one. */
function chainDepth(list: readonly Wanted[], followers: ReadonlyMap<number, readonly number[]>) {
  const depth = new Int32Array(list.length);
  /** How many leaders of the unit are not in the queue yet. */
  const open = new Int32Array(list.length);
  const queue: number[] = [];

  for (const unit of list) {
    open[unit.index] = unit.leaders.length === 0 ? 0 : new Set(unit.leaders.filter((l) => l >= 0)).size;
    if (open[unit.index] === 0) queue.push(unit.index);
  }

  for (let i = 0; i < queue.length; i++) {
    const leader = queue[i] as number;
    for (const f of followers.get(leader) ?? []) {
      depth[f] = Math.max(depth[f] as number, (depth[leader] as number) + 1);
      open[f] = (open[f] as number) - 1;
      if (open[f] === 0) queue.push(f);
    }
  }

  // What never came into the queue waits for itself.
  const circular = new Uint8Array(list.length);
  for (const unit of list) if ((open[unit.index] as number) > 0) circular[unit.index] = 1;
  return { depth, circular };
}

/**
 * The circles of the graph leader -> follower, replacer -> replaced. Globs are nodes of their own, so a pattern that
 * many declare and many match costs the sum and not the product.
 */
function findCircles(
  units: WantedUnits,
  followers: ReadonlyMap<number, readonly number[]>,
  circular: Uint8Array,
) {
  const { list } = units;
  const nodes = list.length + units.replaces.patterns.length;
  const edges: number[][] = Array.from({ length: nodes }, () => []);
  for (const unit of list) {
    const out = edges[unit.index] as number[];
    for (const f of followers.get(unit.index) ?? []) if (circular[f] === 0) out.push(f);
    for (const glob of unit.wants.replaces) out.push(list.length + glob);
    for (const glob of unit.replacedBy) (edges[list.length + glob] as number[]).push(unit.index);
  }

  const components = findComponents(edges);
  const depths = componentDepths(edges, components);
  const depth = new Int32Array(list.length);
  for (const unit of list) depth[unit.index] = depths[components.of[unit.index] as number] as number;
  const sizes = components.members.map((group) => group.filter((node) => node < list.length).length);
  return { circle: components.of, depth, sizes };
}
