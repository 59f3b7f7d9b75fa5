import { describe, expect, test } from 'vitest';
import { endsContainer, readContainer } from '../../../src/lib/discovery/containers/container.ts';
import { readCheck } from '../../../src/lib/discovery/offers/check.ts';
import { offerOf } from '../../../src/lib/discovery/offers/offer.ts';
import { servicesOf } from '../../../src/lib/discovery/offers/services.ts';
import { container, type Described, rules, service } from './support.ts';

const found = (of: Described, more: Partial<typeof rules> = {}) =>
  servicesOf(container(of), { ...rules, ...more });
const brief = (of: Described, more: Partial<typeof rules> = {}): string[] =>
  found(of, more).services.map(({ id, name, address, port }) => `${name} ${id} ${address}:${port}`);

describe('ports', () => {
  test('a port of its own name has no suffix, the others have', () => {
    const env = { SERVICE_NAME: 'app', SERVICE_80_NAME: 'front' };
    expect(brief({ ports: { 80: 1080, 81: 1081 }, env })).toEqual([
      'front hostname:web:80 192.168.1.102:1080',
      'app-81 hostname:web:81 192.168.1.102:1081',
    ]);
  });
  test('one that is not published counts only with --internal', () => {
    const of = { ports: { 80: 1080, 81: null }, env: { SERVICE_NAME: 'app' } };
    expect(brief(of)).toEqual(['app hostname:web:80 192.168.1.102:1080']);
    expect(brief(of, { internal: true })).toEqual([
      'app-80 hostname:web:80 172.17.0.2:80',
      'app-81 hostname:web:81 172.17.0.2:81',
    ]);
  });
  describe('with host networking', () => {
    const onHost = (of: Described, bindings: Record<string, unknown> = {}): Described => ({
      ...of,
      host: { NetworkMode: 'host', PortBindings: bindings },
    });
    test('the only exposed port counts', () => {
      expect(brief(onHost({ ports: { 8080: null, '53/udp': null } }))).toEqual([
        'web hostname:web:8080 192.168.1.102:8080',
      ]);
    });
    test('of several, those that are published all the same or named by a key', () => {
      const ports = { 80: null, 443: null, 2019: null };
      expect(brief(onHost({ ports }))).toEqual([]);
      expect(brief(onHost({ ports }, { '80/tcp': [{ HostPort: '80' }] }))).toEqual([
        'web hostname:web:80 192.168.1.102:80',
      ]);
      expect(brief(onHost({ ports, env: { SERVICE_9000_NAME: 'app' } }))).toEqual([
        'app hostname:web:9000 192.168.1.102:9000',
      ]);
    });
    test('what is asked for and cannot be found is said', () => {
      const env = { SERVICE_FRONTEND_HOST_LOAD_BALANCER: 'x.test' };
      expect(found(onHost({ ports: { 80: null, 2019: null }, env })).problems).toEqual([
        expect.stringMatching(/^container web: ports 80 and 2019 are not published .*--net=host/),
      ]);
    });
  });
  test('udp is told by the id and a tag', () => {
    const { services } = found({ ports: { '53/udp': 5353 } });
    expect(services).toMatchObject([{ id: 'hostname:web:53:udp', tags: ['udp'], protocol: 'udp' }]);
  });
  test('one that is bound to an address is reached there, unless --ip says otherwise; never on loopback', () => {
    const of = { ports: { 80: '10.9.9.9:80', 81: '127.0.0.1:81' } };
    expect(brief(of)).toEqual(['web-80 hostname:web:80 10.9.9.9:80']);
    expect(brief(of, { forced: true })).toEqual(['web-80 hostname:web:80 192.168.1.102:80']);
    const asked = found({ ...of, env: { SERVICE_FRONTEND_HOST_CONTAINER: 'x' } });
    expect(asked.problems).toEqual(['container web: port 81 is published on the loopback address only']);
  });
  test('of bindings for both families the one of the address is taken', () => {
    const both = readContainer({
      Id: 'x',
      Name: '/n',
      Config: { Image: 'i' },
      NetworkSettings: {
        Ports: {
          '80/tcp': [
            { HostIp: '::', HostPort: '32769' },
            { HostIp: '0.0.0.0', HostPort: '32768' },
          ],
        },
      },
    });
    expect(servicesOf(both, rules).services[0]?.port).toBe(32_768);
    expect(servicesOf(both, { ...rules, address: 'fd00::1' }).services[0]?.port).toBe(32_769);
  });
});

describe('metadata', () => {
  test('a label wins over a variable, a port over both; empty is not set', () => {
    const env = { SERVICE_NAME: 'env', SERVICE_IGNORE: '', SERVICE_80_ID: '' };
    expect(brief({ ports: { 80: 1 }, env, labels: { SERVICE_NAME: 'label' } })).toEqual([
      'label hostname:web:80 192.168.1.102:1',
    ]);
    expect(brief({ ports: { 80: 1 }, labels: { SERVICE_80_NAME: 'port' }, env })).toEqual([
      'port hostname:web:80 192.168.1.102:1',
    ]);
  });
  test('one port can be ignored', () => {
    expect(brief({ ports: { 80: 1, 81: 2 }, env: { SERVICE_81_IGNORE: 'yes' } })).toHaveLength(1);
  });
  test('--explicit takes only what has a name, --tags is for all', () => {
    expect(brief({ ports: { 80: 1 } }, { explicit: true })).toEqual([]);
    expect(
      found({ ports: { 80: 1 }, env: { SERVICE_TAGS: 'a,b' } }, { tags: ['b', 'c'] }).services[0]?.tags,
    ).toEqual(['a', 'b', 'c']);
  });
  test('an image is named without registry, tag and digest', () => {
    const name = (image: string) => found({ image, ports: { 80: 1 } }).services[0]?.name;
    expect(name('registry.example:5000/team/app:1.2')).toBe('app');
    expect(name('app@sha256:0123')).toBe('app');
  });
});

describe('one host name and several ports', () => {
  const CADDY = { 80: 80, 443: 443, '443/udp': 443, 2019: 2019 };
  const KEY = 'SERVICE_FRONTEND_HOST_LOAD_BALANCER';
  const hosts = (env: Record<string, string>, ports: Described['ports'] = CADDY) => {
    const { services, problems } = found({ name: 'caddy', env, ports: ports ?? {} });
    const tcp = services.filter(({ protocol }) => protocol === 'tcp');
    const having = tcp.filter(({ attributes }) => attributes.frontend_host_load_balancer !== undefined);
    return { having: having.map(({ port }) => port), problems };
  };
  test('no port gets it, and it is said how to say which', () => {
    expect(hosts({ [KEY]: 'shop.test' })).toEqual({
      having: [],
      problems: [
        `container caddy: ${KEY}=shop.test could mean port 80, 443 or 2019, so none of them gets it; say which: SERVICE_80_FRONTEND_HOST_LOAD_BALANCER=shop.test`,
      ],
    });
  });
  test('the port that says it gets it, beside the key for all or alone', () => {
    const own = { SERVICE_80_FRONTEND_HOST_LOAD_BALANCER: 'shop.test' };
    expect(hosts(own)).toEqual({ having: [80], problems: [] });
    expect(hosts({ ...own, [KEY]: 'shop.test' })).toEqual({ having: [80], problems: [] });
  });
  test('the only one that is published or not ignored gets it', () => {
    expect(hosts({ [KEY]: 'shop.test' }, { 80: 80, 443: null, 2019: null })).toEqual({
      having: [80],
      problems: [],
    });
    const ignored = { SERVICE_443_IGNORE: '1', SERVICE_2019_IGNORE: '1' };
    expect(hosts({ [KEY]: 'shop.test', ...ignored })).toEqual({ having: [80], problems: [] });
  });
  test('different names for different ports are no question', () => {
    const env = { [KEY]: 'shop.test', SERVICE_2019_FRONTEND_HOST_LOAD_BALANCER: 'admin.test' };
    expect(hosts(env, { 80: 80, 2019: 2019 })).toEqual({ having: [80, 2019], problems: [] });
  });
  test('a range of ports is not listed to its end', () => {
    const range = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [8000 + i, 8000 + i]));
    expect(hosts({ [KEY]: 'x.test' }, range).problems[0]).toContain(
      'port 8000, 8001, 8002, 8003, 8004, 8005 or 5 more',
    );
  });
});

describe('what the container does not have is said', () => {
  const env = { SERVICE_NAME: 'app', SERVICE_FRONTEND_HOST_LOAD_BALANCER: 'app.test' };
  test.each([
    [{ ports: { 80: null } }, 'port 80 is not published (docker run -p or -P;'],
    [{ ports: { 80: null, 81: null } }, 'ports 80 and 81 are not published'],
    [
      { ports: { 80: 80 }, env: { ...env, SERVICE_8080_NAME: 'x' } },
      'SERVICE_8080_NAME: the container has no port 8080 (it has 80)',
    ],
    [
      { ports: { 80: 80 }, env: { ...env, 'SERVICE_8000-8010_NAME': 'x' } },
      'SERVICE_8000-8010_NAME is passed over',
    ],
  ])('%j', (of, problem) => {
    const { problems } = found({ env, ...of });
    expect(problems).toEqual([expect.stringContaining(`container web: ${problem}`)]);
  });
  test('but not the ports that an image only exposes beside one that is published', () => {
    expect(found({ ports: { 80: 80, 443: null }, env }).problems).toEqual([]);
  });
  test('a service with a check that is not published is said as well', () => {
    const checked = { SERVICE_NAME: 'app', SERVICE_CHECK_HTTP: '/health' };
    expect(found({ ports: { 80: null }, env: checked }).problems).toHaveLength(1);
    expect(found({ ports: { 80: null }, env: { SERVICE_NAME: 'app' } }).problems).toEqual([]);
  });
});

test('a container that has IPv6 only is reached there', () => {
  const network = { IPAddress: '', GlobalIPv6Address: 'fd00::5' };
  const of = readContainer({
    Id: 'x',
    Name: '/n',
    Config: { Image: 'i', ExposedPorts: { '80/tcp': {} } },
    NetworkSettings: { Ports: {}, Networks: { six: network } },
  });
  expect(servicesOf(of, { ...rules, internal: true }).services[0]).toMatchObject({ address: 'fd00::5' });
});

test.each([
  { what: 'UDP', of: { protocol: 'udp' as const } },
  { what: 'a slash in the id', of: { id: 'a/b' } },
  { what: 'a newline in the name', of: { name: 'a\nb' } },
  { what: 'a quote in the host', of: { attributes: { frontend_host_container: 'x") || Path("/' } } },
  { what: 'a line break in the host', of: { attributes: { frontend_host_container: 'x\nserver evil' } } },
])('$what is not offered, and said', ({ of }) => {
  const made = offerOf(service({ attributes: { frontend_host_load_balancer: 'x.test' }, ...of }));
  expect(made.offer).toBeNull();
  expect(made.problems).toHaveLength(1);
});

test('without a host name nothing is offered, and nothing is wrong', () => {
  expect(offerOf(service())).toEqual({ offer: null, problems: [] });
});

describe('a name and a check, but no host name', () => {
  const attributes = { check_http: '/health' };
  test('is a backend without a frontend, which is said', () => {
    const made = offerOf(service({ attributes }));
    expect(made.offer).toMatchObject({ balanced: true, sharedHost: null, check: { how: { kind: 'http' } } });
    expect(made.problems).toEqual([
      expect.stringMatching(/^backend demo-application-v0.2.0 is announced without a frontend/),
    ]);
  });
  test('is nothing without a SERVICE_NAME', () => {
    expect(offerOf(service({ attributes, named: false }))).toEqual({ offer: null, problems: [] });
  });
  test('is not said twice of a port whose host name is in question', () => {
    expect(offerOf(service({ attributes, withheld: true })).problems).toEqual([]);
  });
});

test.each([
  [{ check_http: 'health' }, { how: { kind: 'http', path: '/health' } }, 0],
  [{ check_http: '/a b' }, { how: { kind: 'tcp' } }, 1],
  [{ check_http: '/', check_http_method: 'HEAD' }, { how: { method: 'HEAD' } }, 0],
  [{ check_http: '/', check_http_method: 'get\r\nX: y' }, { how: { method: 'GET' } }, 1],
  [{ check_http: '/', check_status: '204' }, { how: { statuses: [[204, 204]] } }, 0],
  [
    { check_http: '/', check_status: '200-299, 401,3XX' },
    {
      how: {
        statuses: [
          [200, 299],
          [401, 401],
          [300, 399],
        ],
      },
    },
    0,
  ],
  [{ check_http: '/', check_host: 'a.test:8080' }, { how: { host: 'a.test:8080' } }, 0],
  [{ check_http: '/', check_host: '[::1]:80' }, { how: { host: '[::1]:80' } }, 0],
  [{ check_http: '/', check_host: 'bücher.test' }, { how: { host: 'xn--bcher-kva.test' } }, 0],
  [{ check_https: '/', check_tls_verify: 'true' }, { how: { verify: true } }, 0],
  [{ check_https: '/', check_tls_verify: 'no' }, { how: { verify: false } }, 0],
  [{ check_https: '/', check_tls_verify: 'perhaps' }, { how: { verify: true } }, 1],
  [{ check_grpc: 'true' }, { how: { kind: 'grpc', service: '', tls: false, verify: false } }, 0],
  [
    { check_grpc: 'shop.v1.Cart', check_grpc_use_tls: '1' },
    { how: { service: 'shop.v1.Cart', tls: true } },
    0,
  ],
  [{ check_tcp: 'true', check_interval: 'soon' }, { how: { kind: 'tcp' }, intervalMs: 11_000 }, 1],
  [{ check_tcp: 'true', check_interval: '-3s' }, { intervalMs: 11_000 }, 1],
  [{ check_tcp: 'true', check_timeout: '30s', check_interval: '2s' }, { timeoutMs: 2000 }, 0],
  [{ check_script: 'x', check_rise: '2', check_fall: '3' }, { rise: 2, fall: 3 }, 0],
  [{ check_script: 'x', check_rise: '0', check_fall: 'many' }, { rise: 1, fall: 1 }, 2],
])('check %j', (attributes, check, problems) => {
  const read = readCheck(attributes);
  expect(read.check).toMatchObject(check);
  expect(read.problems).toHaveLength(problems);
});

test.each(['', ',', '2', '2xxx', '999', '300-200', '200-', 'ok', '200 201'])(
  'no codes: %j',
  (check_status) => {
    const { check, problems } = readCheck({ check_http: '/', check_status });
    expect(check).toMatchObject({ how: { statuses: [[200, 200]] } });
    expect(problems).toHaveLength(1);
  },
);

test.each(['a b', 'a\r\nX: y', 'http://a', 'a/b', 'a:b'])('no host: %j', (check_host) => {
  const { check, problems } = readCheck({ check_http: '/', check_host });
  expect(check).toMatchObject({ how: { host: null } });
  expect(problems).toHaveLength(1);
});

test.each([
  ['15', 'SIGTERM', true],
  ['9', 'SIGTERM', true],
  ['KILL', 'SIGQUIT', true],
  ['1', 'SIGTERM', false],
  ['SIGHUP', 'SIGTERM', false],
  ['15', 'SIGQUIT', false],
  ['3', 'QUIT', true],
  ['37', 'SIGRTMIN+3', true],
  [null, 'SIGTERM', false],
])('signal %s where %s stops: %s', (signal, stop, ends) => {
  expect(endsContainer(signal, stop)).toBe(ends);
});

test('whatever Docker answers, it is read or refused with a word', () => {
  for (const nonsense of [null, 7, [], {}, { Id: 7 }])
    expect(() => readContainer(nonsense)).toThrow('without an id');
  const odd = {
    Id: 'x',
    Config: { Env: [7, 'A'], Labels: 'no' },
    NetworkSettings: { Ports: { 'x/tcp': 1, '0/tcp': [] } },
  };
  expect(readContainer(odd)).toMatchObject({ id: 'x', ports: [], metadata: [] });
});
