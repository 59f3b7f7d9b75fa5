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
  test('with host networking the exposed ports are the published ones', () => {
    const of = { ports: { 8080: null }, host: { NetworkMode: 'host' } };
    expect(brief(of)).toEqual(['web hostname:web:8080 192.168.1.102:8080']);
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

test.each([
  [{ check_http: 'health' }, { how: { kind: 'http', path: '/health' } }, 0],
  [{ check_http: '/a b' }, { how: { kind: 'tcp' } }, 1],
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
