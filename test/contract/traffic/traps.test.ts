import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Session } from '../../../src/lib/control/session.ts';
import { removeFrontend, upsertFrontend } from '../../../src/lib/control/traffic/frontend.ts';
import { listServers, showFrontend } from '../../../src/lib/control/traffic/lists.ts';
import { removeMiddleware, upsertMiddleware } from '../../../src/lib/control/traffic/middleware.ts';
import {
  removeBackend,
  removeServer,
  upsertBackend,
  upsertListener,
  upsertServer,
} from '../../../src/lib/control/traffic/objects.ts';
import { freshPrefixes, PLACES, type Place, sessionOf, type Told } from './support/stores.ts';

const ROUTE = 'Host("a.test") && PathRegexp(".*")';

describe.each(Object.keys(PLACES))("vulcand's traps on %s", (kind) => {
  let place: Place;
  let told: Told;
  let session: Session;
  let prefixes: ReturnType<typeof freshPrefixes>;
  beforeAll(async () => {
    place = await PLACES[kind]!();
  });
  afterAll(() => place.close());
  beforeEach(async () => {
    prefixes = freshPrefixes();
    told = await sessionOf({ ...place.env, ...prefixes });
    session = told.session;
    return () => session.close();
  });

  const server = (backend: string, id: string, url = 'http://10.0.0.5:80') =>
    upsertServer(session, { backend, id }, { url }, undefined);
  const frontend = (id: string, backend: string, said: object = { route: ROUTE }, more: object = {}) =>
    upsertFrontend(
      session,
      { id, backend, said, force: false, dryRun: false, wait: undefined, waitTimeout: '1s', ...more },
      () => undefined,
    );
  const keys = async (prefix = prefixes.CLUSTER_TRAFFIC_PREFIX): Promise<string[]> =>
    (await place.store.range(`${prefix}/`)).entries.map(({ key }) => key.slice(prefix.length + 1));
  const raw = async (path: string): Promise<string | undefined> =>
    (await place.store.get(`${prefixes.CLUSTER_TRAFFIC_PREFIX}/${path}`))?.value;
  const write = (path: string, value: string) =>
    place.store.commit({
      compare: [],
      writes: [{ put: `${prefixes.CLUSTER_TRAFFIC_PREFIX}/${path}`, value }],
    });

  test('1: server rm x@1 leaves x@10', async () => {
    await upsertBackend(session, 'x', {});
    for (const id of ['x@1', 'x@10', 'x@11']) await server('x', id);
    await removeServer(session, { backend: 'x', id: 'x@1' });
    expect((await listServers(session, 'x')).map(({ Id }) => Id)).toEqual(['x@10', 'x@11']);
  });

  test('2: frontend rm demo leaves demo-v2, and takes its own middlewares', async () => {
    await upsertBackend(session, 'b', {});
    for (const id of ['demo', 'demo-v2']) {
      await frontend(id, 'b');
      await upsertMiddleware(session, { type: 'connlimit', frontend: id, id: 'm' }, {}, undefined);
    }
    await removeFrontend(session, 'demo');
    expect(await keys()).toEqual([
      'backends/b/backend',
      'frontends/demo-v2/frontend',
      'frontends/demo-v2/middlewares/m',
    ]);
  });

  test('2: backend rm app leaves app-v2, which a frontend uses', async () => {
    for (const id of ['app', 'app-v2']) {
      await upsertBackend(session, id, {});
      await server(id, 's');
    }
    await frontend('f', 'app-v2');
    await removeBackend(session, 'app');
    expect(await keys()).toEqual([
      'backends/app-v2/backend',
      'backends/app-v2/servers/s',
      'frontends/f/frontend',
    ]);
    await expect(removeBackend(session, 'app-v2')).rejects.toMatchObject({
      code: 'backend-in-use',
      message: "can not delete backend 'app-v2', it is in use by [f]",
    });
  });

  test('3: a cluster under a longer prefix is not touched', async () => {
    const staging = { ...prefixes, CLUSTER_TRAFFIC_PREFIX: `${prefixes.CLUSTER_TRAFFIC_PREFIX}-staging` };
    const other = await sessionOf({ ...place.env, ...staging });
    await upsertBackend(session, 'b', {});
    await upsertBackend(other.session, 'b', {});
    await other.session.close();
    await removeBackend(session, 'b');
    expect(await keys()).toEqual([]);
    expect(await keys(staging.CLUSTER_TRAFFIC_PREFIX)).toEqual(['backends/b/backend']);
  });

  test('4: no frontend onto a backend that does not exist; a dangling or broken one stops nothing', async () => {
    await upsertBackend(session, 'api', {});
    await expect(frontend('f', 'apj')).rejects.toMatchObject({
      code: 'not-found',
      hint: expect.stringContaining('did you mean api?'),
    });
    await write('frontends/lost/frontend', '{"Type":"http","BackendId":"gone","Route":"Path(`/`)"}');
    await write('frontends/broken/frontend', '{oops');
    await frontend('f', 'api');
    expect(told.heard.join()).toContain('not a JSON object');
    expect(await raw('frontends/broken/frontend')).toBe('{oops');
    await expect(showFrontend(session, 'broken')).rejects.toMatchObject({ code: 'broken-value' });
    await removeFrontend(session, 'broken');
    expect(await raw('frontends/broken/frontend')).toBeUndefined();
  });

  test('6: a setting that changes alone is written, and all else stays', async () => {
    await upsertBackend(session, 'b', {});
    await frontend('f', 'b', { route: ROUTE, maxBodyKb: 7 });
    await frontend('f', 'b', { passHostHeader: true });
    expect(JSON.parse((await raw('frontends/f/frontend')) ?? '')).toMatchObject({
      Route: ROUTE,
      Settings: { PassHostHeader: true, Limits: { MaxBodyBytes: 7168 } },
    });
  });

  test('fields of other programs live on', async () => {
    await write('backends/b/backend', '{"Type":"http","Theirs":{"a":1},"Settings":{"New":true}}');
    await upsertBackend(session, 'b', { readTimeout: '5s' });
    expect(JSON.parse((await raw('backends/b/backend')) ?? '')).toMatchObject({
      Theirs: { a: 1 },
      Settings: { New: true, Timeouts: { Read: '5s' } },
    });
  });

  test('a backend of 300 servers goes as a whole', async () => {
    await upsertBackend(session, 'big', {});
    for (let from = 0; from < 300; from += 100)
      await place.store.commit({
        compare: [],
        writes: Array.from({ length: 100 }, (_, n) => ({
          put: `${prefixes.CLUSTER_TRAFFIC_PREFIX}/backends/big/servers/s${from + n}`,
          value: '{"URL":"http://10.0.0.1:80"}',
        })),
      });
    await removeBackend(session, 'big');
    expect(await keys()).toEqual([]);
  });

  test('a server with a ttl goes, unless it is said again; a change keeps its lease; 0 ends it', async () => {
    await upsertBackend(session, 'b', {});
    const path = 'backends/b/servers/s';
    const lease = async () =>
      (await place.store.get(`${prefixes.CLUSTER_TRAFFIC_PREFIX}/${path}`))?.lease ?? null;
    const say = (ttl?: string, weight?: number) =>
      upsertServer(session, { backend: 'b', id: 's' }, { url: 'http://10.0.0.5:80', weight }, ttl);
    await say('30s');
    const first = await lease();
    expect(first).not.toBeNull();
    await say(undefined, 5);
    expect(await lease()).toBe(first);
    await say('0');
    expect(await lease()).toBeNull();
    await say('1s');
    await frontend('short', 'b', { route: ROUTE }, { ttl: '1s' });
    await frontend('long', 'b');
    const limit = { type: 'connlimit', frontend: 'long', id: 'm' } as const;
    await upsertMiddleware(session, limit, {}, '1s');
    const left = ['backends/b/backend', 'frontends/long/frontend'];
    await expect.poll(() => keys(), { timeout: 10_000, interval: 50 }).toEqual(left);
    await expect.poll(() => raw(path), { timeout: 10_000, interval: 50 }).toBeUndefined();
    for (const ttl of ['500ms', '5', '-1s', 'soon', '99999h'])
      await expect(say(ttl)).rejects.toMatchObject({ exit: 1, code: expect.stringMatching(/^bad-/) });
    expect(await raw(path)).toBeUndefined();
  });

  test('a middleware is not replaced or removed under the name of another type', async () => {
    await upsertBackend(session, 'b', {});
    await frontend('f', 'b');
    const name = { type: 'ratelimit', frontend: 'f', id: 'm' } as const;
    await upsertMiddleware(session, name, { requests: 10 }, undefined);
    await upsertMiddleware(session, name, { burst: 3 }, undefined);
    expect((await showFrontend(session, 'f')).Middlewares).toMatchObject([
      { Type: 'ratelimit', Middleware: { Requests: 10, Burst: 3 } },
    ]);
    const other = { ...name, type: 'connlimit' } as const;
    await expect(upsertMiddleware(session, other, {}, undefined)).rejects.toMatchObject({
      code: 'other-middleware',
    });
    await expect(removeMiddleware(session, other)).rejects.toMatchObject({ code: 'other-middleware' });
    await removeMiddleware(session, name);
    expect((await showFrontend(session, 'f')).Middlewares).toEqual([]);
  });

  test.each([
    ['a route that does not parse', () => frontend('f', 'b', { route: 'Host("a"' }), 'route-syntax'],
    [
      'a predicate that does not',
      () => frontend('f', 'b', { route: ROUTE, failoverPredicate: 'Attempts <= 2' }),
      'predicate-syntax',
    ],
    ['an id with a slash', () => frontend('a/b', 'b'), 'bad-id'],
    ['a line end in an id', () => frontend('a\nb', 'b'), 'bad-id'],
    ['a URL with a path', () => server('b', 's', 'http://10.0.0.5:80/x'), 'bad-url'],
    ['a URL with a user', () => server('b', 's', 'http://u:p@10.0.0.5:80'), 'bad-url'],
    ['a URL with a line end', () => server('b', 's', 'http://10.0.0.5:80\nx'), 'bad-url'],
    ['another protocol', () => server('b', 's', 'ftp://10.0.0.5'), 'bad-url'],
    ['no URL', () => upsertServer(session, { backend: 'b', id: 's' }, {}, undefined), 'bad-url'],
    ['an unknown backend', () => server('nope', 's'), 'not-found'],
    [
      'a weight of 300',
      () => upsertServer(session, { backend: 'b', id: 's' }, { url: 'http://a:1', weight: 300 }, undefined),
      'bad-value',
    ],
    ['a timeout of garbage', () => upsertBackend(session, 'b', { readTimeout: 'x' }), 'bad-duration'],
    ['a cookie name with a blank', () => upsertBackend(session, 'b', { stickyCookie: 'a b' }), 'bad-value'],
    ['a listener without address', () => upsertListener(session, 'l', {}), 'missing-address'],
    ['a listener on no port', () => upsertListener(session, 'l', { addr: 'localhost' }), 'bad-value'],
    [
      'a scope that does not parse',
      () => upsertListener(session, 'l', { addr: ':80', scope: 'x' }),
      'bad-scope',
    ],
    [
      'a middleware of no frontend',
      () =>
        upsertMiddleware(
          session,
          { type: 'trace', frontend: 'f', id: 'm' },
          { addr: 'syslog://h:1' },
          undefined,
        ),
      'not-found',
    ],
  ])('%s is refused and changes nothing', async (_, run, code) => {
    await upsertBackend(session, 'b', {});
    const before = await place.store.range('/');
    await expect(run()).rejects.toMatchObject({ code, exit: 1, hint: expect.stringMatching(/./) });
    expect((await place.store.range('/')).entries).toEqual(before.entries);
  });
});
