import { parseObject } from './fields.ts';
import { readMiddleware } from './middleware.ts';
import type { JsonObject, Stored, TrafficProblem, TrafficState } from './model.ts';
import { parsePath, type TrafficPath } from './path.ts';
import { readBackend, readFrontend, readHost, readListener, readServer } from './read.ts';

/** One key as it stands in the store. */
export interface StoredEntry {
  readonly path: string;
  readonly value: string;
  readonly revision: number;
  readonly lease: string | null;
}

/** What happened to one key. */
export type TrafficChange =
  | { readonly kind: 'put'; readonly entry: StoredEntry }
  | { readonly kind: 'remove'; readonly path: string };

/** Reads everything; what cannot be read is in `problems` under its path, never an error. `prefix` only names keys. */
export function readTraffic(prefix: string, entries: Iterable<StoredEntry>, revision: number): TrafficState {
  const draft = new Draft(prefix);
  for (const entry of entries) draft.put(entry);
  return draft.done(revision);
}

/** The state after these changes; what they do not touch is shared with the old one, not read again. */
export function applyTraffic(
  state: TrafficState,
  prefix: string,
  changes: Iterable<TrafficChange>,
  revision: number,
): TrafficState {
  const draft = new Draft(prefix, state);
  for (const change of changes) {
    if (change.kind === 'put') draft.put(change.entry);
    else draft.remove(change.path);
  }
  return draft.done(revision);
}

/** What is said of a value that quotes all of itself. */
const MOST_SAID = 300;

class Draft {
  readonly #prefix: string;
  readonly #hosts;
  readonly #listeners;
  readonly #backends;
  readonly #servers;
  readonly #frontends;
  readonly #middlewares;
  readonly #problems: Map<string, TrafficProblem>;
  readonly #stored: Map<string, Stored>;

  constructor(prefix: string, state?: TrafficState) {
    this.#prefix = prefix;
    this.#hosts = new Map(state?.hosts);
    this.#listeners = new Map(state?.listeners);
    this.#backends = new Map(state?.backends);
    this.#servers = new Map(state?.servers);
    this.#frontends = new Map(state?.frontends);
    this.#middlewares = new Map(state?.middlewares);
    this.#problems = new Map(state?.problems);
    this.#stored = new Map(state?.stored);
  }

  put({ path, value, revision, lease }: StoredEntry): void {
    this.remove(path);
    const object = parsePath(path);
    const json = parseObject(value);
    this.#stored.set(path, { value: json, revision, lease });
    if (object === null) return;
    try {
      if (json === null) throw new Error('the value is not a JSON object');
      this.#read(object, json);
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      const message = said.length > MOST_SAID ? `${said.slice(0, MOST_SAID)}...` : said;
      this.#problems.set(path, { key: this.#prefix + path, message });
    }
  }

  remove(path: string): void {
    this.#stored.delete(path);
    this.#problems.delete(path);
    const object = parsePath(path);
    if (object === null) return;
    switch (object.kind) {
      case 'host':
        this.#hosts.delete(object.id);
        break;
      case 'listener':
        this.#listeners.delete(object.id);
        break;
      case 'backend':
        this.#backends.delete(object.id);
        break;
      case 'frontend':
        this.#frontends.delete(object.id);
        break;
      case 'server':
        without(this.#servers, object.parent, object.id);
        break;
      case 'middleware':
        without(this.#middlewares, object.parent, object.id);
        break;
    }
  }

  done(revision: number): TrafficState {
    return {
      hosts: this.#hosts,
      listeners: this.#listeners,
      backends: this.#backends,
      servers: this.#servers,
      frontends: this.#frontends,
      middlewares: this.#middlewares,
      problems: this.#problems,
      stored: this.#stored,
      revision,
    };
  }

  #read(object: TrafficPath, json: JsonObject): void {
    switch (object.kind) {
      case 'host':
        this.#hosts.set(object.id, readHost(object.id, json));
        break;
      case 'listener':
        this.#listeners.set(object.id, readListener(object.id, json));
        break;
      case 'backend':
        this.#backends.set(object.id, readBackend(object.id, json));
        break;
      case 'frontend':
        this.#frontends.set(object.id, readFrontend(object.id, json));
        break;
      case 'server':
        within(this.#servers, object.parent, object.id, readServer(object.id, json));
        break;
      case 'middleware':
        within(this.#middlewares, object.parent, object.id, readMiddleware(object.id, json));
        break;
    }
  }
}

type Nested<Value> = Map<string, ReadonlyMap<string, Value>>;

function within<Value>(all: Nested<Value>, parent: string, id: string, value: Value): void {
  all.set(parent, new Map(all.get(parent)).set(id, value));
}

function without<Value>(all: Nested<Value>, parent: string, id: string): void {
  const old = all.get(parent);
  if (old === undefined) return;
  const rest = new Map(old);
  rest.delete(id);
  if (rest.size === 0) all.delete(parent);
  else all.set(parent, rest);
}
