import {
  type JsonObject,
  parsePath,
  pathOf,
  readBackend,
  readFrontend,
  storedBackend,
  storedFrontend,
} from '../../traffic/index.ts';
import { says } from '../json.ts';
import type { Seen } from '../mirror.ts';
import type { Offer } from './model.ts';
import { routeOf } from './offer.ts';
import { type Presence, presenceOf, presencePath, prevails, readPresence } from './presence.ts';

/** What a decision rests on: the registry as this registrator sees it. */
export interface View {
  /** machine-id */
  readonly machine: string;
  /** The lease that everything of this run hangs on. */
  readonly lease: string;
  /** That lease and all that this machine's registrator had before, in this run or an earlier one. */
  readonly mine: ReadonlySet<string>;
  /** By path below vulcand's prefix. */
  readonly traffic: ReadonlyMap<string, Seen>;
  /** By path below the presence prefix. */
  readonly presence: ReadonlyMap<string, Seen>;
}

/** An offer and what is known of its health; `up: null` = nothing yet. */
export interface Instance {
  readonly offer: Offer;
  readonly up: boolean | null;
}

export interface Edit {
  readonly area: 'traffic' | 'presence';
  readonly path: string;
  /** null removes. */
  readonly value: JsonObject | null;
  readonly lease: string | null;
}

export interface Decision {
  /** Each is one transaction, in this order: what must go goes first. */
  readonly groups: readonly (readonly Edit[])[];
  readonly problems: readonly string[];
}

/** Field by which a registrator knows the shared objects that one of them made. */
export const MARK = { Registrator: true } as const;

/**
 * The edits that make the registry say what runs on this machine; none where it does already. `instances` has each id of
 * a service once.
 */
export function decide(view: View, instances: readonly Instance[]): Decision {
  const draft = new Draft(view);
  const shown = prevailing(view, instances, draft.problems);
  const hosts = sharedHosts(view, shown);
  const groups = shown.map((instance) => draft.announce(instance, hosts));
  return {
    groups: [draft.takeOut(), ...groups].filter((group) => group.length > 0),
    problems: draft.problems,
  };
}

/** Those that no later start of the same id on another machine has replaced. */
function prevailing(view: View, instances: readonly Instance[], problems: string[]): Instance[] {
  return instances.filter(({ offer }) => {
    const rival = rivalOf(view, presencePath(offer))?.presence ?? null;
    if (rival === null || !prevails(rival, presenceOf(view.machine, offer))) return true;
    const where = `machine ${rival.machine.slice(0, 8)}, where it started later`;
    problems.push(`service ${offer.service.id} is announced by ${where}`);
    return false;
  });
}

/** Another machine's instance of the same id. */
function rivalOf(view: View, path: string): { presence: Presence; lease: string | null } | null {
  const seen = view.presence.get(path);
  const presence = readPresence(seen?.value ?? null);
  if (seen === undefined || presence === null || presence.machine === view.machine) return null;
  return { presence, lease: seen.lease };
}

/** Where instances of one service name different hosts, the latest start has its way: else registrators would fight. */
function sharedHosts(view: View, shown: readonly Instance[]): Map<string, string> {
  const latest = new Map<string, Presence>();
  const consider = (name: string, presence: Presence): void => {
    const known = latest.get(name);
    if (presence.host !== null && (known === undefined || prevails(presence, known)))
      latest.set(name, presence);
  };
  for (const { offer } of shown) consider(offer.service.name, presenceOf(view.machine, offer));
  for (const [path, { value, lease }] of view.presence) {
    const presence = readPresence(value);
    const name = path.slice(0, path.indexOf('/'));
    if (presence !== null && !isMine(view, lease)) consider(name, presence);
  }
  return new Map([...latest].flatMap(([name, { host }]) => (host === null ? [] : [[name, host]])));
}

const isMine = (view: View, lease: string | null): boolean => lease !== null && view.mine.has(lease);

class Draft {
  readonly problems: string[] = [];
  readonly #view: View;
  readonly #kept = { traffic: new Set<string>(), presence: new Set<string>() };
  readonly #shared = new Set<string>();

  constructor(view: View) {
    this.#view = view;
  }

  announce({ offer, up }: Instance, hosts: ReadonlyMap<string, string>): Edit[] {
    const { id, name } = offer.service;
    const presence = presencePath(offer);
    const rival = rivalOf(this.#view, presence)?.lease ?? null;
    const edits: Edit[] = [];
    const leased = (path: string, value: JsonObject): void => this.#leased(edits, path, value, rival);
    this.#put(edits, 'presence', presence, { ...presenceOf(this.#view.machine, offer) }, this.#view.lease);
    if (offer.sharedHost !== null) {
      this.#announceShared(edits, name, hosts.get(name) ?? offer.sharedHost);
      const path = pathOf({ kind: 'server', parent: name, id });
      const server = { Id: id, URL: offer.url };
      if (up ?? this.#stands(path, server)) leased(path, server);
    }
    if (offer.instanceHost !== null) {
      leased(pathOf({ kind: 'backend', id }), backendNamed(id));
      leased(pathOf({ kind: 'server', parent: id, id }), { Id: id, URL: offer.url });
      leased(pathOf({ kind: 'frontend', id }), frontendTo(id, offer.instanceHost));
    }
    return edits;
  }

  /** What this registrator announced and nothing backs any more. Call it when all is announced. */
  takeOut(): Edit[] {
    const edits: Edit[] = [];
    for (const area of ['traffic', 'presence'] as const)
      for (const [path, { lease }] of this.#view[area])
        if (isMine(this.#view, lease) && !this.#kept[area].has(path))
          edits.push({ area, path, value: null, lease: null });
    return edits;
  }

  /** Was this very server announced by us? Then nobody has called it sick, and a restart of ours must not. */
  #stands(path: string, server: JsonObject): boolean {
    const seen = this.#view.traffic.get(path);
    return seen !== undefined && isMine(this.#view, seen.lease) && says(seen.value, server);
  }

  #announceShared(edits: Edit[], name: string, host: string): void {
    if (this.#shared.has(name)) return;
    this.#shared.add(name);
    const backend = pathOf({ kind: 'backend', id: name });
    const frontend = pathOf({ kind: 'frontend', id: name });
    const wanted = frontendTo(name, host);
    if (this.#free(backend)) this.#put(edits, 'traffic', backend, backendNamed(name), null);
    const seen = this.#view.traffic.get(frontend);
    const marked = seen?.lease === null && seen.value?.Registrator === true;
    if (marked || this.#free(frontend)) this.#put(edits, 'traffic', frontend, wanted, null);
    else if (!says(seen?.value, { BackendId: name, Route: wanted.Route }))
      this.problems.push(`frontend ${name} is somebody else's and stays as it is; wanted: ${wanted.Route}`);
  }

  /** Absent, or ours from when it was an instance's. */
  #free(path: string): boolean {
    const seen = this.#view.traffic.get(path);
    return seen === undefined || isMine(this.#view, seen.lease);
  }

  /** An object of one instance; one that stands there and is not a registrator's is left alone. */
  #leased(edits: Edit[], path: string, value: JsonObject, rival: string | null): void {
    const seen = this.#view.traffic.get(path);
    const ours = seen === undefined || isMine(this.#view, seen.lease);
    if (ours || (rival !== null && seen.lease === rival))
      this.#put(edits, 'traffic', path, value, this.#view.lease);
    else this.problems.push(`${path} is somebody else's and stays as it is`);
  }

  #put(edits: Edit[], area: Edit['area'], path: string, value: JsonObject, lease: string | null): void {
    this.#kept[area].add(path);
    const seen = this.#view[area].get(path);
    if (seen !== undefined && seen.lease === lease && says(seen.value, value)) return;
    edits.push({ area, path, value: seen === undefined ? spelledOut(path, value) : value, lease });
  }
}

/** A new object says its defaults, as vctl writes them; one that stands keeps what others set. */
function spelledOut(path: string, value: JsonObject): JsonObject {
  const { kind, id = '' } = parsePath(path) ?? {};
  if (kind === 'frontend') return { ...storedFrontend(readFrontend(id, value)), ...MARK };
  return kind === 'backend' ? { ...storedBackend(readBackend(id, value), null), ...MARK } : value;
}

const backendNamed = (id: string): JsonObject => ({ Id: id, Type: 'http', Settings: {}, ...MARK });

const frontendTo = (id: string, host: string): JsonObject => ({
  Id: id,
  Route: routeOf(host),
  Type: 'http',
  BackendId: id,
  Settings: {},
  ...MARK,
});
