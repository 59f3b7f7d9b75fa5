import type { Offer } from './model.ts';

/**
 * Says that an instance exists on a machine, sick or well: what keeps the shared frontend and backend of its service.
 * Hangs on the lease of that machine's registrator, as all that is announced of the instance does.
 */
export interface Presence {
  readonly v: 1;
  /** machine-id */
  readonly machine: string;
  readonly container: string;
  /** When the container started: of two instances with one id, the later one is announced. */
  readonly since: string;
  readonly url: string;
  /** Host name of the version; null = not load-balanced. */
  readonly host: string | null;
  readonly tags: readonly string[];
}

/** Everything below it is presence: `SERVICE NAME/SERVICE ID`. */
export const presencePrefix = (prefix: string): string => `${prefix.replace(/\/$/, '')}/services/`;

export const presencePath = ({ service }: Offer): string => `${service.name}/${service.id}`;

export function presenceOf(machine: string, { service, url, sharedHost }: Offer): Presence {
  const { container, startedAt, tags } = service;
  return { v: 1, machine, container: container.slice(0, 12), since: startedAt, url, host: sharedHost, tags };
}

/** null for what is no presence. */
export function readPresence(value: { readonly [name: string]: unknown } | null): Presence | null {
  if (value === null || value.v !== 1) return null;
  const { machine, container, since, url, host, tags } = value;
  const texts = [machine, container, since, url];
  if (!texts.every((item) => typeof item === 'string')) return null;
  if (host !== null && typeof host !== 'string') return null;
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string')) return null;
  return value as unknown as Presence;
}

/** Whether `a` has the say over `b` where both have one id: the later start, then the machine's id. */
export function prevails(a: Presence, b: Presence): boolean {
  return a.since === b.since ? a.machine > b.machine : a.since > b.since;
}
