// What registrators write, as data: nothing in this file needs a store.
import type { JsonObject } from '../traffic/index.ts';

/**
 * `traffic`: vulcand's objects; `presence`: which instances exist, and `leaving`: which of them are to be no servers, both by
 * `SERVICE NAME/SERVICE ID`.
 */
export type ServiceArea = 'traffic' | 'presence' | 'leaving';

/** An object to write or remove, by its path in its area. */
export interface ServiceEdit {
  readonly area: ServiceArea;
  readonly path: string;
  /** null removes. */
  readonly value: JsonObject | null;
  readonly lease: string | null;
}

/**
 * Says that an instance of a service exists on a machine, healthy or not: what keeps the shared frontend and backend of
 * its service. It hangs on the lease of that machine's registrator, as all that is announced of the instance does.
 */
export interface Presence {
  readonly v: 1;
  /** machine-id */
  readonly machine: string;
  readonly container: string;
  /** The container's name. Absent = announced by an earlier release. */
  readonly name?: string;
  /** The unit that runs the container, where the container says so. */
  readonly unit?: string;
  /** When the container started: of two instances with one id, the later one is announced. */
  readonly since: string;
  readonly url: string;
  /** Host name of the version; null = no shared frontend. */
  readonly host: string | null;
  /** It is a server of its service's backend although it has no host name. Absent = only if it has one. */
  readonly balanced?: true;
  readonly tags: readonly string[];
}

/** null for what is not a presence. */
export function readPresence(value: { readonly [name: string]: unknown } | null): Presence | null {
  if (value === null || value.v !== 1) return null;
  const { machine, container, since, url, host, tags } = value;
  const texts = [machine, container, since, url, value.name ?? '', value.unit ?? ''];
  if (!texts.every((item) => typeof item === 'string')) return null;
  if (host !== null && typeof host !== 'string') return null;
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string')) return null;
  return value as unknown as Presence;
}

/** Whether an instance needs the shared object of its service. One that cannot be read (null) may be of a later version. */
export function needsShared(kind: 'frontend' | 'backend', presence: Presence | null): boolean {
  if (presence === null || presence.host !== null) return true;
  return kind === 'backend' && presence.balanced === true;
}

/**
 * Says that this start of a container is about to stop: the registrator of its machine takes its server away, and another start of
 * the same instance is announced as ever. It hangs on the lease of whoever is going to stop it.
 */
export interface Leaving {
  readonly v: 1;
  /** machine-id */
  readonly machine: string;
  /** As in `Presence`. */
  readonly container: string;
  readonly since: string;
}

/** Whether a stored value says that this instance is about to stop. */
export function isLeaving(
  value: { readonly [name: string]: unknown } | null,
  { machine, container, since }: Presence,
): boolean {
  if (value === null || value.v !== 1) return false;
  return value.machine === machine && value.container === container && value.since === since;
}
