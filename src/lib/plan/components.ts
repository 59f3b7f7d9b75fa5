/** The strongly connected components of a directed graph: nodes that reach each other share one. */
export interface Components {
  /** Number of the component of each node. An edge leads to a component of the same or a lower number. */
  readonly of: Int32Array;
  /** The nodes of each component. */
  readonly members: readonly (readonly number[])[];
}

/** Finds them by Tarjan's algorithm, with a path of its own instead of recursion; `edges` has the targets of each node. */
export function findComponents(edges: readonly (readonly number[])[]): Components {
  const count = edges.length;
  const seen = new Int32Array(count).fill(-1);
  const low = new Int32Array(count);
  const component = new Int32Array(count).fill(-1);
  const cursor = new Int32Array(count);
  const members: number[][] = [];
  const stack: number[] = [];
  let clock = 0;

  const close = (root: number): void => {
    const group: number[] = [];
    for (let node = -1; node !== root; ) {
      node = stack.pop() as number;
      component[node] = members.length;
      group.push(node);
    }
    members.push(group);
  };

  for (let start = 0; start < count; start++) {
    if (seen[start] !== -1) continue;
    const path = [start];
    while (path.length > 0) {
      const node = path[path.length - 1] as number;
      if (seen[node] === -1) {
        seen[node] = clock;
        low[node] = clock++;
        stack.push(node);
      }

      const next = (edges[node] as readonly number[])[cursor[node] as number];
      if (next !== undefined) {
        cursor[node] = (cursor[node] as number) + 1;
        if (seen[next] === -1) path.push(next);
        else if (component[next] === -1) low[node] = Math.min(low[node] as number, seen[next] as number);
        continue;
      }

      path.pop();
      const parent = path[path.length - 1];
      if (parent !== undefined) low[parent] = Math.min(low[parent] as number, low[node] as number);
      if (low[node] === seen[node]) close(node);
    }
  }
  return { of: component, members };
}

/** For each component the length of the longest way that leads to it from another one. */
export function componentDepths(
  edges: readonly (readonly number[])[],
  { of, members }: Components,
): Int32Array {
  const depths = new Int32Array(members.length);
  for (let from = members.length - 1; from >= 0; from--) {
    for (const node of members[from] as readonly number[]) {
      for (const next of edges[node] as readonly number[]) {
        const to = of[next] as number;
        if (to !== from) depths[to] = Math.max(depths[to] as number, (depths[from] as number) + 1);
      }
    }
  }
  return depths;
}
