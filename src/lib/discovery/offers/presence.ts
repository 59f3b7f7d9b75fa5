import type { Presence } from '../../registry/announcements.ts';
import type { Offer } from './model.ts';

/** Path of an instance's presence: `SERVICE NAME/SERVICE ID`. */
export const presencePath = ({ service }: Offer): string => `${service.name}/${service.id}`;

export function presenceOf(machine: string, { service, url, sharedHost, balanced }: Offer): Presence {
  const { container, containerName: name, unit, startedAt, tags } = service;
  return {
    v: 1,
    machine,
    container: container.slice(0, 12),
    name,
    ...(unit !== null && { unit }),
    since: startedAt,
    url,
    host: sharedHost,
    ...(balanced && sharedHost === null && { balanced: true }),
    tags,
  };
}

/** Whether `a` wins over `b` where both have the same id: the later start, then the greater machine id. */
export function prevails(a: Presence, b: Presence): boolean {
  return a.since === b.since ? a.machine > b.machine : a.since > b.since;
}
