import { expect, test } from 'vitest';
import {
  backendsNamed,
  frontendsOf,
  pathsOf,
  readTraffic,
  switchable,
  usableServers,
  versionOf,
} from '../../../src/lib/traffic/index.ts';

const state = (values: Record<string, object>) =>
  readTraffic(
    '/vulcand/',
    Object.entries(values).map(([path, value]) => ({
      path,
      value: JSON.stringify(value),
      revision: 7,
      lease: null,
    })),
    7,
  );
const frontend = (BackendId: string, more: object = {}) => ({
  Type: 'http',
  BackendId,
  Route: `Host("${BackendId}")`,
  ...more,
});

test.each([
  ['demo-application-v0.2.0', 'demo-application', 'v0.2.0'],
  ['demo-application-0.2.0', 'demo-application', '0.2.0'],
  ['demo_v2', 'demo', 'v2'],
  ['demo.2', 'demo', '2'],
  ['demo@v1', 'demo', 'v1'],
  ['demo-v1.0-rc1', 'demo', 'v1.0-rc1'],
  ['demo-v1.0.0+build.5', 'demo', 'v1.0.0+build.5'],
  ['demo-green', 'demo', 'green'],
  ['demo-3fa9c1d', 'demo', '3fa9c1d'],
  ['demo-a3f9c1d', 'demo', 'a3f9c1d'],
  ['web-2-v3', 'web-2', 'v3'],
  ['demo-application-v0.2.0@1', 'demo-application-v0.2.0', '1'],
])('%s is a version of %s: %s', (id, application, version) => {
  expect(versionOf(id)).toEqual({ application, version });
});

test.each(['demo', 'demo-application', 'my-app', 'deadbee-facade', '-v1', 'v1', 'demo-v0.2.0x y'])(
  '%s has no version',
  (id) => {
    expect(versionOf(id)).toBeNull();
  },
);

test('-b is an id, or the whole version of one', () => {
  const all = ['demo-v0.2.0', 'demo-v0.2.0@1', 'other-v0.2.0', 'demo-v10.2.0', 'v9', 'demo-v9'];
  expect(backendsNamed(all, 'v0.2.0')).toEqual(['demo-v0.2.0', 'other-v0.2.0']);
  expect(backendsNamed(all, 'demo-v0.2.0')).toEqual(['demo-v0.2.0']);
  expect(backendsNamed(all, 'v9')).toEqual(['v9']);
  expect(backendsNamed(all, '0.2.0')).toEqual([]);
});

test('what the registrator made, other applications and instances are not switched', () => {
  const traffic = state({
    'backends/demo-v1/backend': { Type: 'http' },
    'backends/demo-v2/backend': { Type: 'http' },
    'frontends/demo.test/frontend': frontend('demo-v1'),
    'frontends/demo-v1/frontend': frontend('demo-v1'),
    'frontends/demo-v1@1/frontend': frontend('demo-v1@1'),
    'frontends/door/frontend': frontend('demo-v1@1'),
    'frontends/marked/frontend': frontend('demo-v1', { Registrator: true }),
    'frontends/worker.test/frontend': frontend('demo-worker-v1'),
    'frontends/there/frontend': frontend('demo-v2'),
  });
  const { elsewhere, here } = switchable(traffic, 'demo-v2');
  expect(elsewhere.map(({ Id }) => Id)).toEqual(['demo.test']);
  expect(here.map(({ Id }) => Id)).toEqual(['there']);
});

test('an instance is never taken for a version of its application', () => {
  const traffic = state({ 'frontends/x/frontend': frontend('demo-v1@1') });
  expect(switchable(traffic, 'demo-v2').elsewhere).toEqual([]);
});

test('servers without a share do not count', () => {
  const traffic = state({
    'backends/b/servers/a': { URL: 'http://a:1', Weight: 0 },
    'backends/b/servers/b': { URL: 'http://b:1' },
  });
  expect(usableServers(traffic, 'b')).toBe(1);
  expect(usableServers(traffic, 'c')).toBe(0);
});

test('a broken frontend still uses its backend', () => {
  const traffic = state({ 'frontends/f/frontend': { BackendId: 'b' } });
  expect(traffic.frontends.size).toBe(0);
  expect(frontendsOf(traffic, 'b')).toEqual(['f']);
});

test('what belongs to an object never includes what begins with its name', () => {
  const traffic = state({
    'frontends/demo/frontend': frontend('b'),
    'frontends/demo/middlewares/m1': { Type: 'connlimit' },
    'frontends/demo-v2/frontend': frontend('b'),
    'frontends/demo-v2/middlewares/m1': { Type: 'connlimit' },
    'backends/app/servers/1': { URL: 'http://a:1' },
    'backends/app-v2/servers/1': { URL: 'http://a:1' },
  });
  expect(pathsOf(traffic, 'frontend', 'demo')).toEqual({
    own: 'frontends/demo/frontend',
    children: ['frontends/demo/middlewares/m1'],
  });
  expect(pathsOf(traffic, 'backend', 'app').children).toEqual(['backends/app/servers/1']);
});
