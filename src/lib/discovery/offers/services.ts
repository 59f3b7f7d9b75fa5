import { metadataOf, splitTags } from './metadata.ts';
import type { Container, ContainerPort, Service } from './model.ts';

export interface ServiceOptions {
  /** First part of ids that nobody chose. */
  readonly hostname: string;
  /** Where this machine's published ports are reached. */
  readonly address: string;
  /** Takes `address` even where a port is published on one address only (`--ip`). */
  readonly forced: boolean;
  /** The container's own address and exposed port instead of the machine's. */
  readonly internal: boolean;
  /** Only containers that say SERVICE_NAME. */
  readonly explicit: boolean;
  /** For every service. */
  readonly tags: readonly string[];
}

export interface Services {
  readonly services: readonly Service[];
  /** Ports that are left out although they were asked for, in words. */
  readonly problems: readonly string[];
}

/** registrator's conventions: one service for each port that can be reached and is not ignored. */
export function servicesOf(container: Container, options: ServiceOptions): Services {
  const services: Service[] = [];
  const problems: string[] = [];
  const within = (port: ContainerPort): boolean => options.internal || port.published.length > 0;
  const several = container.ports.filter(within).length > 1;
  for (const port of container.ports) {
    const { values, ofPort } = metadataOf(container.metadata, port.port);
    const wanted = [...values.keys()].some((key) => key.startsWith('frontend_host_'));
    if (values.has('ignore') || (options.explicit && !values.has('name'))) continue;
    const place = within(port) ? placeOf(port, options) : 'is not published (docker run -p or -P)';
    if (typeof place === 'string') {
      if (wanted) problems.push(`container ${container.name}: port ${port.port} ${place}`);
      continue;
    }
    const suffix = several && !ofPort.has('name') ? `-${port.port}` : '';
    const udp = port.protocol === 'udp';
    const own = `${options.hostname}:${container.name}:${port.port}${udp ? ':udp' : ''}`;
    const { id, name, tags, ...attributes } = Object.fromEntries(values);
    services.push({
      id: id ?? own,
      name: `${name ?? imageName(container.image)}${suffix}`,
      ...place,
      protocol: port.protocol,
      tags: [...new Set([...splitTags(tags ?? ''), ...options.tags, ...(udp ? ['udp'] : [])])],
      attributes,
      container: container.id,
      startedAt: container.startedAt,
    });
  }
  return { services, problems };
}

/** The last part of an image's name, without tag and digest. */
function imageName(image: string): string {
  return (image.split('@')[0] ?? '').split('/').at(-1)?.split(':')[0] ?? '';
}

function placeOf(port: ContainerPort, options: ServiceOptions): { address: string; port: number } | string {
  if (options.internal)
    return port.internal === '' ? 'has no address of its own' : { address: port.internal, port: port.port };
  const wide = (host: string): boolean => host === '' || host === '0.0.0.0' || host === '::';
  const family = options.address.includes(':') ? '::' : '0.0.0.0';
  const { published } = port;
  const open = published.find(({ host }) => host === family) ?? published.find(({ host }) => wide(host));
  if (open !== undefined) return { address: options.address, port: open.port };
  const exact = published.find(({ host }) => host === options.address);
  const narrow = exact ?? published.find(({ host }) => !isLoopback(host));
  if (narrow === undefined) return 'is published on the loopback address only';
  return { address: options.forced ? options.address : narrow.host, port: narrow.port };
}

/** Only this computer itself can use such an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
