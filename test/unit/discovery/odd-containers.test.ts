import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { offerOf, routeOf } from '../../../src/lib/discovery/offers/offer.ts';
import { servicesOf } from '../../../src/lib/discovery/offers/services.ts';
import { checkId, readFrontend } from '../../../src/lib/traffic/index.ts';
import { container, type Described, rules } from './support.ts';

/** What becomes of a container, and what is said of it. */
function made(of: Described) {
  const { services, problems } = servicesOf(container(of), rules);
  const found = services.map(offerOf);
  const offers = found.flatMap(({ offer }) => offer ?? []);
  return { offers, problems: [...problems, ...found.flatMap((one) => one.problems)] };
}

const HOST = 'SERVICE_FRONTEND_HOST_LOAD_BALANCER';
const web = (env: Record<string, string>, more: Described = {}): Described => ({
  ports: { 80: 49153 },
  env: { SERVICE_NAME: 'web', [HOST]: 'a.test', ...env },
  ...more,
});

describe('odd names and values', () => {
  test.each<[string, Described, { name?: string; id?: string; host?: string }]>([
    ['a name beyond ASCII', web({ SERVICE_NAME: 'größe' }), { name: 'größe' }],
    ['a name with a blank', web({ SERVICE_NAME: 'a b' }), { name: 'a b' }],
    [
      'names that JavaScript knows',
      web({ SERVICE_NAME: 'constructor', SERVICE_ID: '__proto__' }),
      { name: 'constructor', id: '__proto__' },
    ],
    ['an empty id', web({ SERVICE_ID: '' }), { id: 'hostname:web:80' }],
    ['an international host name', web({ [HOST]: 'Ä.test' }), { host: 'xn--4ca.test' }],
    ['tags of commas', web({ SERVICE_TAGS: ',,\\,,\n' }), {}],
    ['keys without a name', web({ SERVICE_: 'x', SERVICE_80_: 'y' }), {}],
    ['no image', web({}, { image: '' }), {}],
  ])('%s: announced', (_, described, { name = 'web', id = 'hostname:web:80', host = 'a.test' }) => {
    const { offers, problems } = made(described);
    expect(offers).toMatchObject([{ service: { name, id }, sharedHost: host }]);
    expect(problems).toEqual([]);
  });

  test.each<[string, Described, RegExp]>([
    ['a name with a slash', web({ SERVICE_NAME: 'a/b' }), /"a\/b" is not a service name/],
    ['a name that climbs', web({ SERVICE_NAME: '../..' }), /is not a service name/],
    ['a name of 5000 characters', web({ SERVICE_NAME: 'x'.repeat(5000) }), /is not a service name/],
    ['an id with a line end', web({ SERVICE_ID: 'a\nb' }), /"a\\nb" is not a service id/],
    ['an id with an escape', web({ SERVICE_ID: '\u001b[31m' }), /is not a service id/],
    ["a container's name with a slash", web({}, { name: 'ä/ü' }), /"hostname:ä\/ü:80" is not a service id/],
    ['a host name with a blank', web({ [HOST]: 'a b' }), /"a b" is not a host name/],
    ['a host name with a route behind', web({ [HOST]: 'a.test") || Host("b.test' }), /is not a host name/],
    ['a host name of 5000 characters', web({ [HOST]: 'x'.repeat(5000) }), /characters are too many/],
    ['a host name with a star', web({ [HOST]: '*.test' }), /\* stands for nothing/],
    ['no port', web({}, { ports: {} }), /^container web: it has no TCP or UDP port/],
    [
      'a port of another kind',
      web({}, { ports: { '80/sctp': 5 } }),
      /^container web: it has no TCP or UDP port/,
    ],
    ['a port that is not published', web({}, { ports: { 80: '' } }), /port 80 is not published/],
  ])('%s: not announced, and said', (_, described, said) => {
    const { offers, problems } = made(described);
    expect(offers).toEqual([]);
    expect(problems).toEqual([expect.stringMatching(said)]);
  });

  test('a container without a port that asks for nothing, or to be ignored, is not mentioned', () => {
    expect(made({ ports: {}, env: { SERVICE_NAME: 'web' } }).problems).toEqual([]);
    expect(made(web({ SERVICE_IGNORE: '1' }, { ports: {} })).problems).toEqual([]);
  });
});

test('whatever containers say: nothing throws, and what is announced can be stored and served', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.constantFrom('a.test', 'true', '200-299', '__proto__', '../x', '"', '`', '\n', 'x'.repeat(300)),
  );
  const key = fc.constantFrom(
    ...['NAME', 'ID', 'TAGS', 'SCHEME', 'IGNORE', 'FRONTEND_HOST_LOAD_BALANCER', 'FRONTEND_HOST_CONTAINER'],
    ...['HTTP', 'HTTPS', 'GRPC', 'TCP', 'SCRIPT', 'HOST', 'STATUS', 'INTERVAL', 'TLS_VERIFY'].map(
      (one) => `CHECK_${one}`,
    ),
  );
  const prefix = fc.constantFrom('SERVICE_', 'SERVICE_80_', 'SERVICE_0_', 'service_');
  const env = fc.dictionary(
    fc.tuple(prefix, key).map((parts) => parts.join('')),
    text,
  );
  const ports = fc.dictionary(
    fc.constantFrom('80', '443', '53/udp', '8080', '9/sctp'),
    fc.oneof(fc.constant(null), fc.integer({ min: 1, max: 65_535 })),
  );
  fc.assert(
    fc.property(env, ports, text, text, (variables, published, name, image) => {
      for (const { service, sharedHost } of made({ env: variables, ports: published, name, image }).offers) {
        checkId('service id', service.id);
        checkId('service name', service.name);
        if (sharedHost !== null)
          readFrontend('x', { Type: 'http', BackendId: 'b', Route: routeOf(sharedHost) });
      }
    }),
    { numRuns: 2000 },
  );
});
