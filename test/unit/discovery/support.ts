import { readContainer } from '../../../src/lib/discovery/containers/container.ts';
import type { Container, Offer, Service } from '../../../src/lib/discovery/offers/model.ts';
import { offerOf } from '../../../src/lib/discovery/offers/offer.ts';
import type { ServiceOptions } from '../../../src/lib/discovery/offers/services.ts';

export interface Described {
  readonly id?: string;
  readonly name?: string;
  readonly image?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** Exposed port (`8080`, `53/udp`) -> published port, `address:port`, or null. */
  readonly ports?: Readonly<Record<string, number | string | null>>;
  readonly state?: Readonly<Record<string, unknown>>;
  readonly host?: Readonly<Record<string, unknown>>;
  readonly config?: Readonly<Record<string, unknown>>;
}

/** What Docker's inspect answers, in the parts that are read. */
export function inspected(of: Described = {}): object {
  const ports = Object.entries(of.ports ?? {}).map(([port, to]) => {
    const [host, hostPort] = typeof to === 'string' ? to.split(':') : ['0.0.0.0', String(to)];
    const key = port.includes('/') ? port : `${port}/tcp`;
    return [key, to === null ? null : [{ HostIp: host, HostPort: hostPort }]] as const;
  });
  return {
    Id: of.id ?? '0123456789abcdef0123',
    Name: `/${of.name ?? 'web'}`,
    Config: {
      Image: of.image ?? 'web:1',
      Env: Object.entries(of.env ?? {}).map(([key, value]) => `${key}=${value}`),
      Labels: of.labels ?? null,
      ExposedPorts: Object.fromEntries(ports.map(([key]) => [key, {}])),
      ...of.config,
    },
    State: { Running: true, Paused: false, StartedAt: '2026-01-01T00:00:00.000000001Z', ...of.state },
    HostConfig: { NetworkMode: 'default', ...of.host },
    NetworkSettings: { IPAddress: '172.17.0.2', Ports: Object.fromEntries(ports) },
  };
}

export const container = (of: Described = {}): Container => readContainer(inspected(of));

export const rules: ServiceOptions = {
  hostname: 'hostname',
  address: '192.168.1.102',
  forced: false,
  internal: false,
  explicit: false,
  tags: [],
};

export function service(of: Partial<Service> = {}): Service {
  return {
    id: 'demo-application-v0.2.0@1',
    name: 'demo-application-v0.2.0',
    named: true,
    withheld: false,
    address: '10.0.0.1',
    port: 49153,
    protocol: 'tcp',
    tags: [],
    attributes: {},
    container: '0123456789abcdef0123',
    containerName: 'demo-application-v0.2.0-1',
    unit: null,
    startedAt: '2026-01-01T00:00:00Z',
    ...of,
  };
}

export function offer(of: Partial<Service> = {}): Offer {
  const { offer: made, problems } = offerOf(service(of));
  if (made === null) throw new Error(`nothing is offered: ${problems.join('; ')}`);
  return made;
}
