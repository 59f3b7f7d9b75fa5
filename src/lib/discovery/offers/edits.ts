import {
  isLeaving,
  type Presence,
  readPresence,
  type ServiceArea,
  type ServiceEdit,
} from '../../registry/announcements.ts';
import {
  isObject,
  type JsonObject,
  parsePath,
  pathOf,
  readBackend,
  readFrontend,
  type Stored,
  storedBackend,
  storedFrontend,
} from '../../traffic/index.ts';
import { contestedHosts } from './contests.ts';
import type { Offer } from './model.ts';
import { routeOf } from './offer.ts';
import { presenceOf, presencePath, prevails } from './presence.ts';

/** The registry as this registrator sees it. */
export interface View {
  /** machine-id */
  readonly machine: string;
  /** The lease that everything of this run hangs on. */
  readonly lease: string;
  /** That lease and every earlier one of this machine's registrator, of this run or of runs before. */
  readonly ownLeases: ReadonlySet<string>;
  /** By path below vulcand's prefix. */
  readonly traffic: ReadonlyMap<string, Stored>;
  /** By path below the presence prefix. */
  readonly presence: ReadonlyMap<string, Stored>;
  /** By path below the prefix of what is about to stop. */
  readonly leaving: ReadonlyMap<string, Stored>;
}

/** An offer and its health; `up: null` = not known yet. */
export interface Instance {
  readonly offer: Offer;
  readonly up: boolean | null;
}

export interface RegistryEdits {
  /** Each is one transaction, in this order: removals first. */
  readonly groups: readonly (readonly ServiceEdit[])[];
  readonly problems: readonly string[];
}

/** The field that marks shared objects made by a registrator. */
export const MARK = { Registrator: true } as const;

/**
 * The edits that make the registry say what runs on this machine; none where it does already. Each id of a service is in
 * `instances` once.
 */
export function registryEdits(view: View, instances: readonly Instance[]): RegistryEdits {
  const draft = new Draft(view);
  const shown = prevailing(view, instances, draft.problems);
  const hosts = sharedHosts(view, shown);
  const groups = shown.map((instance) => draft.announce(instance, hosts));
  return {
    groups: [draft.removals(), ...groups].filter((group) => group.length > 0),
    problems: [...draft.problems, ...contestedHosts(view.traffic, wantedHosts(shown, hosts))],
  };
}

/** Instances that were not replaced by a later start of the same id on another machine. */
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

/**
 * Host name by service. Where instances name different ones, that of the latest start is taken, so that registrators do
 * not overwrite each other's for ever.
 */
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
    if (presence !== null && !isOurs(view, lease)) consider(name, presence);
  }
  return new Map([...latest].flatMap(([name, { host }]) => (host === null ? [] : [[name, host]])));
}

/** Host names that this machine's instances announce, by the id of the frontend. */
function wantedHosts(shown: readonly Instance[], hosts: ReadonlyMap<string, string>): Map<string, string> {
  const out = new Map<string, string>();
  for (const { offer } of shown) {
    const { name, id } = offer.service;
    const shared = hosts.get(name) ?? offer.sharedHost;
    if (offer.balanced && shared !== null) out.set(name, shared);
    if (offer.instanceHost !== null) out.set(id, offer.instanceHost);
  }
  return out;
}

const isOurs = (view: View, lease: string | null): boolean => lease !== null && view.ownLeases.has(lease);

class Draft {
  readonly problems: string[] = [];
  readonly #view: View;
  readonly #kept = { traffic: new Set<string>(), presence: new Set<string>(), leaving: new Set<string>() };
  readonly #shared = new Set<string>();

  constructor(view: View) {
    this.#view = view;
  }

  announce({ offer, up }: Instance, hosts: ReadonlyMap<string, string>): ServiceEdit[] {
    const { id, name } = offer.service;
    const presence = presencePath(offer);
    const rival = rivalOf(this.#view, presence)?.lease ?? null;
    const present = presenceOf(this.#view.machine, offer);
    const leaves = isLeaving(this.#view.leaving.get(presence)?.value ?? null, present);
    const edits: ServiceEdit[] = [];
    const leased = (path: string, value: JsonObject): void => this.#leased(edits, path, value, rival);
    this.#put(edits, 'presence', presence, { ...present }, this.#view.lease);
    if (offer.balanced) {
      this.#announceShared(edits, name, hosts.get(name) ?? offer.sharedHost);
      const path = pathOf({ kind: 'server', parent: name, id });
      const server = { Id: id, URL: offer.url };
      if (!leaves && (up ?? this.#isAnnounced(path, server))) leased(path, server);
    }
    if (offer.instanceHost !== null) {
      leased(pathOf({ kind: 'backend', id }), backendNamed(id));
      leased(pathOf({ kind: 'server', parent: id, id }), { Id: id, URL: offer.url });
      leased(pathOf({ kind: 'frontend', id }), frontendTo(id, offer.instanceHost));
    }
    return edits;
  }

  /** Removals of what we announced and no instance stands for any more. To be called after all calls of `announce`. */
  removals(): ServiceEdit[] {
    const edits: ServiceEdit[] = [];
    for (const area of ['traffic', 'presence'] as const)
      for (const [path, { lease }] of this.#view[area])
        if (isOurs(this.#view, lease) && !this.#kept[area].has(path))
          edits.push({ area, path, value: null, lease: null });
    return edits;
  }

  /** Whether we announced this very server: nobody found it unhealthy then, so our restart must not remove it. */
  #isAnnounced(path: string, server: JsonObject): boolean {
    const seen = this.#view.traffic.get(path);
    return seen !== undefined && isOurs(this.#view, seen.lease) && includes(seen.value, server);
  }

  #announceShared(edits: ServiceEdit[], name: string, host: string | null): void {
    if (this.#shared.has(name)) return;
    this.#shared.add(name);
    const backend = pathOf({ kind: 'backend', id: name });
    if (this.#free(backend)) this.#put(edits, 'traffic', backend, backendNamed(name), null);
    if (host === null) return;
    const frontend = pathOf({ kind: 'frontend', id: name });
    const wanted = frontendTo(name, host);
    const seen = this.#view.traffic.get(frontend);
    const marked = seen?.lease === null && seen.value?.Registrator === true;
    if (marked || this.#free(frontend)) this.#put(edits, 'traffic', frontend, wanted, null);
    else if (!includes(seen?.value, { BackendId: name, Route: wanted.Route }))
      this.problems.push(`frontend ${name} is somebody else's and stays as it is; wanted: ${wanted.Route}`);
  }

  /** Whether we may write it: it is absent, or ours from when it belonged to one instance. */
  #free(path: string): boolean {
    const seen = this.#view.traffic.get(path);
    return seen === undefined || isOurs(this.#view, seen.lease);
  }

  /** Writes an object of one instance, unless there is one already that is not a registrator's. */
  #leased(edits: ServiceEdit[], path: string, value: JsonObject, rival: string | null): void {
    const seen = this.#view.traffic.get(path);
    const ours = seen === undefined || isOurs(this.#view, seen.lease);
    if (ours || (rival !== null && seen.lease === rival))
      this.#put(edits, 'traffic', path, value, this.#view.lease);
    else this.problems.push(`${path} is somebody else's and stays as it is`);
  }

  #put(edits: ServiceEdit[], area: ServiceArea, path: string, value: JsonObject, lease: string | null): void {
    this.#kept[area].add(path);
    const seen = this.#view[area].get(path);
    if (seen !== undefined && seen.lease === lease && includes(seen.value, value)) return;
    edits.push({ area, path, value: seen === undefined ? withDefaults(path, value) : value, lease });
  }
}

/** A new object with its defaults spelled out, as vctl writes them. */
function withDefaults(path: string, value: JsonObject): JsonObject {
  const { kind, id = '' } = parsePath(path) ?? {};
  if (kind === 'frontend') return { ...storedFrontend(readFrontend(id, value)), ...MARK };
  return kind === 'backend' ? { ...storedBackend(readBackend(id, value), null), ...MARK } : value;
}

/** Whether a stored value has every field of `wanted` with the same value, whatever else it has. */
export function includes(stored: unknown, wanted: unknown): boolean {
  if (isObject(wanted))
    return isObject(stored) && Object.entries(wanted).every(([name, value]) => includes(stored[name], value));
  if (Array.isArray(wanted))
    return (
      Array.isArray(stored) &&
      stored.length === wanted.length &&
      wanted.every((item, index) => includes(stored[index], item))
    );
  return stored === wanted;
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
