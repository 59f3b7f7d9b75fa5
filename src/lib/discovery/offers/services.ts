import { isLoopback } from '../../traffic/index.ts';
import { type Metadata, metadataOf, portsNamed, rangesNamed, splitTags } from './metadata.ts';
import type { Container, ContainerPort, Service } from './model.ts';

export interface ServiceOptions {
  /** First part of ids that are made up because none was given. */
  readonly hostname: string;
  /** Where this machine's published ports are reached. */
  readonly address: string;
  /** Use `address` even where a port is published on one address only (`--ip`). */
  readonly forced: boolean;
  /** The container's own address and exposed port instead of the machine's. */
  readonly internal: boolean;
  /** Only containers that set SERVICE_NAME. */
  readonly explicit: boolean;
  /** For every service. */
  readonly tags: readonly string[];
}

export interface Services {
  readonly services: readonly Service[];
  /** Why ports that were asked for are left out. */
  readonly problems: readonly string[];
}

/** One port and what is said of it. */
interface Asked extends Metadata {
  readonly port: ContainerPort;
  /** Where it is reached, or why it is not. */
  readonly at: { readonly address: string; readonly port: number } | string;
}

/** registrator's conventions: one service for each port that can be reached and is not ignored. */
export function servicesOf(container: Container, options: ServiceOptions): Services {
  const ports = portsOf(container);
  const all = ports.map(
    (port): Asked => ({ port, ...metadataOf(container.metadata, port.port), at: addressOf(port, options) }),
  );
  // As registrator counts: also those that are ignored.
  const several = all.filter(({ port }) => options.internal || port.published.length > 0).length > 1;
  const asked = all.filter(
    ({ values }) => !values.has('ignore') && (!options.explicit || values.has('name')),
  );
  const { withheld, problems } = undecided(asked);
  // podman labels what it runs for a unit.
  const ofPodman = container.metadata.find(([key]) => key === 'PODMAN_SYSTEMD_UNIT')?.[1] ?? null;
  const services: Service[] = [];
  for (const one of asked) {
    const { port, values, ofPort, at } = one;
    if (typeof at === 'string') continue;
    const suffix = several && !ofPort.has('name') ? `-${port.port}` : '';
    const udp = port.protocol === 'udp';
    const own = `${options.hostname}:${container.name}:${port.port}${udp ? ':udp' : ''}`;
    const { id, name, tags, unit, ...attributes } = Object.fromEntries(values);
    const without = withheld.get(one) ?? [];
    services.push({
      id: id ?? own,
      name: `${name ?? imageName(container.image)}${suffix}`,
      named: name !== undefined,
      withheld: without.length > 0,
      ...at,
      protocol: port.protocol,
      tags: [...new Set([...splitTags(tags ?? ''), ...options.tags, ...(udp ? ['udp'] : [])])],
      attributes: Object.fromEntries(Object.entries(attributes).filter(([key]) => !without.includes(key))),
      container: container.id,
      containerName: container.name,
      unit: unit ?? ofPodman,
      startedAt: container.startedAt,
    });
  }
  const about = (message: string): string => `container ${container.name}: ${message}`;
  return {
    services,
    problems: [...portless(container, ports), ...unreachable(asked), ...problems, ...misnamed(container)].map(
      about,
    ),
  };
}

/** What asks to be announced and has no port at all would be missed without a word. */
function portless({ metadata }: Container, ports: readonly ContainerPort[]): string[] {
  const { values } = metadataOf(metadata, 0);
  if (ports.length > 0 || values.has('ignore') || !isWanted(values.keys())) return [];
  return ['it has no TCP or UDP port, so it cannot be announced (EXPOSE in its image, or docker run -p)'];
}

/**
 * With host networking there is nothing to publish: a port counts that is published all the same or named by a key, and
 * where there is none, the only one that is exposed.
 */
function portsOf({ onHost, ports, metadata }: Container): readonly ContainerPort[] {
  if (!onHost) return ports;
  const listening = (port: number, protocol: 'tcp' | 'udp' = 'tcp'): ContainerPort => ({
    port,
    protocol,
    internal: '',
    published: [{ host: '', port }],
  });
  const named = [...portsNamed(metadata).keys()].filter(isPort);
  const exposed = ports.filter(({ protocol }) => protocol === 'tcp');
  const only =
    named.length === 0 && exposed.length === 1 && ports.every(({ published }) => published.length === 0);
  const known = ports.map((one) =>
    named.includes(one.port) || (only && one === exposed[0]) ? listening(one.port, one.protocol) : one,
  );
  const more = named.filter((port) => !ports.some((one) => one.port === port)).map((port) => listening(port));
  return [...known, ...more].sort((a, b) => a.port - b.port);
}

const isPort = (port: number): boolean => port >= 1 && port <= 65_535;

const HOSTS = ['frontend_host_load_balancer', 'frontend_host_container'] as const;

/**
 * A host name belongs to one port. One that stands in a key for all ports goes to the port that names it itself, or to
 * the only one that there is; where several are left, none gets it, because it could be the wrong one.
 */
function undecided(asked: readonly Asked[]): {
  /** Keys that a port does not get. */
  readonly withheld: ReadonlyMap<Asked, readonly string[]>;
  readonly problems: readonly string[];
} {
  const withheld = new Map<Asked, string[]>();
  const problems: string[] = [];
  const reachable = asked.filter(({ port, at }) => port.protocol === 'tcp' && typeof at !== 'string');
  for (const key of HOSTS) {
    for (const host of new Set(reachable.map(({ values }) => values.get(key) ?? ''))) {
      const all = host === '' ? [] : reachable.filter(({ values }) => values.get(key) === host);
      const inherited = all.filter(({ ofPort }) => !ofPort.has(key));
      if (inherited.length === 0 || all.length === 1) continue;
      for (const one of inherited) withheld.set(one, [...(withheld.get(one) ?? []), key]);
      if (inherited.length < all.length) continue;
      const name = key.toUpperCase();
      const ports = inherited.map(({ port }) => port.port);
      problems.push(
        `SERVICE_${name}=${host} could mean port ${listed(ports)}, so none of them gets it; say which: SERVICE_${ports[0]}_${name}=${host}`,
      );
    }
  }
  return { withheld, problems };
}

/** Why ports that were asked for are left out; equal reasons together. */
function unreachable(asked: readonly Asked[]): string[] {
  const others = asked.some(({ port, at }) => port.protocol === 'tcp' && typeof at !== 'string');
  const byReason = new Map<string, number[]>();
  for (const { port, values, ofPort, at } of asked) {
    if (typeof at !== 'string' || !isWanted(values.keys())) continue;
    // An image exposes more than most containers publish.
    if (port.published.length === 0 && others && !isWanted(ofPort)) continue;
    byReason.set(at, [...(byReason.get(at) ?? []), port.port]);
  }
  return [...byReason].map(([reason, ports]) => {
    const unique = [...new Set(ports)];
    return unique.length === 1
      ? `port ${unique[0]} is ${reason}`
      : `ports ${listed(unique, 'and')} are ${reason}`;
  });
}

function isWanted(keys: Iterable<string>): boolean {
  const all = [...keys];
  if (all.some((key) => key.startsWith('frontend_host_'))) return true;
  return all.includes('name') && all.some((key) => /^check_(?:https?|grpc|tcp|script)$/.test(key));
}

/** Keys for ports that the container does not have. */
function misnamed({ onHost, metadata, ports }: Container): string[] {
  const known = new Set(ports.map(({ port }) => port));
  const has = known.size === 0 ? 'none' : listed([...known], 'and');
  const unknown = [...portsNamed(metadata)].filter(([port]) => (onHost ? !isPort(port) : !known.has(port)));
  return [
    ...unknown.map(([port, key]) => `${key}: the container has no port ${port} (it has ${has})`),
    ...rangesNamed(metadata).map((key) => `${key} is passed over: each port has keys of its own`),
  ];
}

const MOST_LISTED = 6;

/** `80, 443 or 2019`. */
function listed(ports: readonly number[], word = 'or'): string {
  const shown = ports.slice(0, MOST_LISTED).map(String);
  const last = ports.length > shown.length ? `${ports.length - shown.length} more` : (shown.pop() ?? '');
  return shown.length === 0 ? last : `${shown.join(', ')} ${word} ${last}`;
}

/** The last part of an image's name, without tag and digest. */
function imageName(image: string): string {
  return (image.split('@')[0] ?? '').split('/').at(-1)?.split(':')[0] ?? '';
}

/** Where a port is reached, or what it is instead. */
function addressOf(port: ContainerPort, options: ServiceOptions): { address: string; port: number } | string {
  if (options.internal)
    return port.internal === ''
      ? 'without an address of its own'
      : { address: port.internal, port: port.port };
  const { published } = port;
  if (published.length === 0)
    return 'not published (docker run -p or -P; with --net=host by a key of its own, such as SERVICE_8080_NAME)';
  const wide = (host: string): boolean => host === '' || host === '0.0.0.0' || host === '::';
  const family = options.address.includes(':') ? '::' : '0.0.0.0';
  const open = published.find(({ host }) => host === family) ?? published.find(({ host }) => wide(host));
  if (open !== undefined) return { address: options.address, port: open.port };
  const exact = published.find(({ host }) => host === options.address);
  const narrow = exact ?? published.find(({ host }) => !isLoopback(host));
  if (narrow === undefined) return 'published on the loopback address only';
  return { address: options.forced ? options.address : narrow.host, port: narrow.port };
}
