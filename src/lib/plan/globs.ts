import { fleetGlob } from '../unit/index.ts';

interface Node {
  readonly next: Map<number, Node>;
  readonly globs: number[];
}

const newNode = (): Node => ({ next: new Map(), globs: [] });
const NONE: readonly number[] = [];

/**
 * Distinct glob patterns by number, found from a unit name in time of the name's length: a pattern hangs in a tree
 * at the end of its literal prefix, so only patterns that can match are tried.
 */
export class GlobIndex {
  readonly patterns: string[] = [];
  readonly #tests: ((name: string) => boolean)[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #root = newNode();

  /** The number of a pattern; the same pattern always has the same one. */
  add(pattern: string): number {
    const known = this.#numbers.get(pattern);
    if (known !== undefined) return known;
    const glob = fleetGlob(pattern);
    const number = this.patterns.length;
    this.patterns.push(pattern);
    this.#tests.push((name) => glob.test(name));
    this.#numbers.set(pattern, number);
    let node = this.#root;
    for (let i = 0; i < glob.literalPrefix.length; i++) {
      const code = glob.literalPrefix.charCodeAt(i);
      let child = node.next.get(code);
      if (child === undefined) {
        child = newNode();
        node.next.set(code, child);
      }
      node = child;
    }
    node.globs.push(number);
    return number;
  }

  /** Numbers of all patterns that match the name. */
  matching(name: string): readonly number[] {
    let found: number[] | undefined;
    let node: Node | undefined = this.#root;
    for (let i = 0; node !== undefined; i++) {
      for (const number of node.globs) {
        if (this.#tests[number]?.(name)) {
          if (found === undefined) found = [number];
          else found.push(number);
        }
      }
      if (i >= name.length) break;
      node = node.next.get(name.charCodeAt(i));
    }
    return found ?? NONE;
  }
}
