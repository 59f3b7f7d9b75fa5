import { isLoopback } from '../../traffic/index.ts';
import { metadataOf, splitTags } from './metadata.ts';
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

/** registrator's conventions: one service for each port that can be reached and is not ignored. */
export function servicesOf(container: Container, options: ServiceOptions): Services {
  const services: Service[] = [];
  const problems: string[] = [];
  const usable = (port: ContainerPort): boolean => options.internal || port.published.length > 0;
  const several = container.ports.filter(usable).length > 1;
  for (const port of container.ports) {
    const { values, ofPort } = metadataOf(container.metadata, port.port);
    const wanted = [...values.keys()].some((key) => key.startsWith('frontend_host_'));
    if (values.has('ignore') || (options.explicit && !values.has('name'))) continue;
    const address = usable(port) ? addressOf(port, options) : 'is not published (docker run -p or -P)';
    if (typeof address === 'string') {
      if (wanted) problems.push(`container ${container.name}: port ${port.port} ${address}`);
      continue;
    }
    const suffix = several && !ofPort.has('name') ? `-${port.port}` : '';
    const udp = port.protocol === 'udp';
    const own = `${options.hostname}:${container.name}:${port.port}${udp ? ':udp' : ''}`;
    const { id, name, tags, ...attributes } = Object.fromEntries(values);
    services.push({
      id: id ?? own,
      name: `${name ?? imageName(container.image)}${suffix}`,
      ...address,
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

function addressOf(port: ContainerPort, options: ServiceOptions): { address: string; port: number } | string {
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
