import type { Backend } from '../../../traffic/index.ts';

/** Strings and numbers of one argument that are remembered at most; objects are forgotten by the garbage collector. */
const MAX_VALUES = 20_000;
const MAX_GONE = 64;

/** What was returned for the arguments so far, and the arguments that may follow. */
class Node {
  isKnown = false;
  result: unknown;
  /** Most nodes have only one child, which is found without a map. */
  #firstArg: unknown;
  #first: Node | undefined;
  #objects: WeakMap<object, Node> | undefined;
  #values: Map<unknown, Node> | undefined;

  /** For one argument more. */
  next(arg: unknown): Node {
    if (this.#first === undefined) {
      this.#firstArg = arg;
      this.#first = new Node();
    }
    if (this.#firstArg === arg) return this.#first;
    if (typeof arg === 'object' && arg !== null) {
      this.#objects ??= new WeakMap();
      const known = this.#objects.get(arg);
      if (known !== undefined) return known;
      const made = new Node();
      this.#objects.set(arg, made);
      return made;
    }
    this.#values ??= new Map();
    const known = this.#values.get(arg);
    if (known !== undefined) return known;
    if (this.#values.size >= MAX_VALUES) this.#values.clear();
    const made = new Node();
    this.#values.set(arg, made);
    return made;
  }
}

/**
 * Remembers what pure functions returned, so that a change of one object does not cost the work for all the others. The
 * same arguments (objects by identity) give the very same result. Whoever translates again and again owns one and passes
 * it in; no room keeps one for itself.
 */
export class Memo {
  readonly #calls = new Map<unknown, Node>();
  /** Backends that have had an https server: they keep what such servers need, so that the next one costs no reload. */
  readonly withTls = new Set<string>();
  readonly #served = new Map<string, Backend>();
  readonly #latest = new Map<unknown, { readonly argument: unknown; readonly result: unknown }>();

  /**
   * These backends are served: the proxy takes their settings. Once too many of an earlier time are gone, the older half is
   * forgotten.
   */
  served(backends: ReadonlyMap<string, Backend>): void {
    for (const [id, backend] of backends) {
      if (this.#served.get(id) === backend) continue;
      this.#served.delete(id);
      this.#served.set(id, backend);
    }
    const gone = this.gone(backends);
    if (gone.length > MAX_GONE)
      for (const { Id } of gone.slice(0, gone.length - MAX_GONE / 2)) this.#served.delete(Id);
  }

  /** Backends that were served and are not among these: where they keep their place, they can come back without a reload. */
  gone(backends: ReadonlyMap<string, Backend>): Backend[] {
    return [...this.#served.values()].filter(({ Id }) => !backends.has(Id));
  }

  /** `pure(...args)`. @param pure a function that always is the same object, such as one at the top of a file. */
  call<Args extends readonly unknown[], Result>(pure: (...args: Args) => Result, ...args: Args): Result {
    let node = this.#calls.get(pure);
    if (node === undefined) {
      node = new Node();
      this.#calls.set(pure, node);
    }
    for (const arg of args) node = node.next(arg);
    if (!node.isKnown) {
      node.result = pure(...args);
      node.isKnown = true;
    }
    return node.result as Result;
  }

  /** `pure(argument, memo)`; remembers only the latest call, for an argument that `isSame` compares. */
  latest<Argument, Result>(
    pure: (argument: Argument, memo: Memo) => Result,
    argument: Argument,
    isSame: (before: Argument, now: Argument) => boolean,
  ): Result {
    const before = this.#latest.get(pure);
    if (before !== undefined && isSame(before.argument as Argument, argument)) return before.result as Result;
    const result = pure(argument, this);
    this.#latest.set(pure, { argument, result });
    return result;
  }
}
