import { hostname } from 'node:os';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Session } from '../../../src/lib/control/session.ts';
import {
  type FrontendChange,
  type FrontendRequest,
  removeFrontend,
  upsertFrontend,
} from '../../../src/lib/control/traffic/frontend.ts';
import { history, rollback } from '../../../src/lib/control/traffic/history.ts';
import { showFrontend } from '../../../src/lib/control/traffic/lists.ts';
import { matchRequest } from '../../../src/lib/control/traffic/match.ts';
import { upsertMiddleware } from '../../../src/lib/control/traffic/middleware.ts';
import { upsertBackend, upsertServer } from '../../../src/lib/control/traffic/objects.ts';
import { workplace } from '../../support/cli.ts';
import { freePort } from '../../support/port.ts';
import { freshPrefixes, PLACES, type Place, sessionOf, type Told } from './support/stores.ts';
import { fakeGateway, holdCommits, withResolvers } from './support/switches.ts';

const DEMO = 'demo-application.example.test';
const [V1, V2, V3] = ['v0.1.0', 'v0.2.0', 'v0.3.0'].map((version) => `demo-application-${version}`) as [
  string,
  string,
  string,
];
const routeOf = (host: string): string => `Host("${host}") && PathRegexp(".*")`;

describe.each(Object.keys(PLACES))('switching on %s', (kind) => {
  let place: Place;
  let env: Readonly<Record<string, string>>;
  let told: Told;
  let session: Session;
  beforeAll(async () => {
    place = await PLACES[kind]!();
  });
  afterAll(() => place.close());

  const run = async (more: Partial<FrontendRequest>, by: Session = session) => {
    const changes: FrontendChange[] = [];
    const request = {
      id: undefined,
      backend: undefined,
      said: {},
      force: false,
      dryRun: false,
      wait: undefined,
      waitTimeout: '10s',
      ...more,
    };
    const served = await upsertFrontend(by, request, (change) => void changes.push(change));
    return { change: changes[0], served };
  };
  const back = (id?: string) =>
    rollback(
      session,
      { id, force: false, dryRun: false, wait: undefined, waitTimeout: '1s' },
      () => undefined,
    );
  const where = async (id = DEMO) => (await showFrontend(session, id)).BackendId;

  /** As the registrator leaves it: a backend, its server and a frontend of the same name for each version. */
  const version = async (backend: string): Promise<void> => {
    await upsertBackend(session, backend, {});
    await upsertServer(session, { backend, id: `${backend}@1` }, { url: 'http://10.0.0.5:80' }, undefined);
    await run({ id: backend, backend, said: { route: routeOf(`${backend}.example.test`) } });
  };

  beforeEach(async () => {
    env = { ...place.env, ...freshPrefixes() };
    told = await sessionOf(env);
    session = told.session;
    for (const backend of [V1, V2]) await version(backend);
    await upsertBackend(session, V3, {});
    await run({ id: DEMO, backend: V1, said: { route: routeOf(DEMO), passHostHeader: true } });
    return () => session.close();
  });

  test('-b v0.2.0 alone moves the one frontend of that application; route and settings stay', async () => {
    const before = await showFrontend(session, DEMO);
    const { change, served } = await run({ backend: 'v0.2.0' });
    expect(change).toMatchObject({ from: V1, to: V2, changed: true });
    expect(served).toBeNull();
    expect(await showFrontend(session, DEMO)).toEqual({ ...before, BackendId: V2 });
    expect(await where(V1)).toBe(V1);
  });

  test('a second time there is nothing to do, and nothing is written', async () => {
    await run({ backend: 'v0.2.0' });
    const before = await place.store.range('/');
    expect((await run({ backend: 'v0.2.0' })).change).toMatchObject({ changed: false, to: V2 });
    expect((await place.store.range('/')).entries).toEqual(before.entries);
    expect(await history(session, DEMO)).toHaveLength(1);
  });

  test('a dry run writes nothing', async () => {
    const before = await place.store.range('/');
    expect((await run({ backend: V2, dryRun: true })).change).toMatchObject({ from: V1, to: V2 });
    expect((await place.store.range('/')).entries).toEqual(before.entries);
  });

  test('two frontends fit: every full command is named, and nothing moves', async () => {
    await run({ id: 'second.test', backend: V1, said: { route: routeOf('second.test') } });
    const error = await run({ backend: 'v0.2.0' }).catch((caught) => caught);
    expect(error).toMatchObject({ code: 'ambiguous-frontend', exit: 1 });
    for (const id of [DEMO, 'second.test'])
      expect(error.hint).toContain(`cluster frontend upsert --id ${id} -b ${V2}`);
    expect([await where(), await where('second.test')]).toEqual([V1, V1]);
    expect((await run({ id: 'second.test', backend: 'v0.2.0' })).change).toMatchObject({ to: V2 });
  });

  test('a version of two applications is refused alone, and clear beside a frontend', async () => {
    await upsertBackend(session, 'other-v0.2.0', {});
    const error = await run({ backend: 'v0.2.0' }).catch((caught) => caught);
    expect(error).toMatchObject({ code: 'ambiguous-backend' });
    expect(error.hint).toContain(`cluster frontend upsert --id ${DEMO} -b ${V2}`);
    expect((await run({ id: DEMO, backend: 'v0.2.0' })).change).toMatchObject({ from: V1, to: V2 });
  });

  test('no frontend fits: the full command is named', async () => {
    await removeFrontend(session, DEMO);
    await expect(run({ backend: 'v0.2.0' })).rejects.toMatchObject({
      code: 'no-frontend',
      hint: expect.stringContaining(`--id ID -b ${V2} --route`),
    });
  });

  test('an unknown version names the nearest', async () => {
    await expect(run({ backend: 'v0.2.1' })).rejects.toMatchObject({
      code: 'not-found',
      hint: expect.stringMatching(/did you mean v0\.[12]\.0\?/),
    });
  });

  test('no switch to a backend without a server, unless forced', async () => {
    await expect(run({ backend: 'v0.3.0' })).rejects.toMatchObject({ code: 'no-servers', exit: 1 });
    expect(await where()).toBe(V1);
    expect((await run({ backend: 'v0.3.0', force: true })).change).toMatchObject({ to: V3 });
  });

  test('no switch to a backend that does not read well', async () => {
    const put = `${env.CLUSTER_TRAFFIC_PREFIX}/backends/${V2}/backend`;
    await place.store.commit({ compare: [], writes: [{ put, value: '{"Type":"tcp"}' }] });
    await expect(run({ id: DEMO, backend: V2 })).rejects.toMatchObject({ code: 'broken-value' });
    expect(await where()).toBe(V1);
  });

  test('history says who and when; rollback goes back and is a switch itself', async () => {
    await run({ backend: 'v0.2.0' });
    await back();
    expect(await where()).toBe(V1);
    expect(await history(session, undefined)).toMatchObject([
      { frontend: DEMO, from: V2, to: V1 },
      { frontend: DEMO, from: V1, to: V2, who: expect.stringMatching(new RegExp(`.@${hostname()}$`)) },
    ]);
    expect(Date.parse((await history(session, DEMO))[0]?.when ?? '')).toBeGreaterThan(1e12);
  });

  test('rollback after somebody else moved it goes to what was switched last', async () => {
    await run({ backend: 'v0.2.0' });
    const { store } = place;
    const key = `${env.CLUSTER_TRAFFIC_PREFIX}/frontends/${DEMO}/frontend`;
    const value = ((await store.get(key))?.value ?? '').replace(V2, V3);
    await store.commit({ compare: [], writes: [{ put: key, value }] });
    await back(DEMO);
    expect(await where()).toBe(V2);
  });

  test('rollback with nothing to go back to, and with two to choose from', async () => {
    await expect(back()).rejects.toMatchObject({ code: 'no-history' });
    await run({ id: 'second.test', backend: V1, said: { route: routeOf('second.test') } });
    for (const id of [DEMO, 'second.test']) await run({ id, backend: V2 });
    await expect(back()).rejects.toMatchObject({
      code: 'ambiguous-frontend',
      hint: expect.stringContaining('cluster frontend rollback second.test'),
    });
  });

  test('the newest 20 switches are kept; they go with the frontend', async () => {
    for (let n = 0; n < 12; n++) {
      await run({ id: DEMO, backend: V2 });
      await run({ id: DEMO, backend: V1 });
    }
    const kept = await history(session, DEMO);
    expect(kept).toHaveLength(20);
    expect(kept[0]).toMatchObject({ from: V2, to: V1 });
    await removeFrontend(session, DEMO);
    expect(await history(session, undefined)).toEqual([]);
  });

  test('two switches at once: one wins, the other is told (exit 6), and history knows one', async () => {
    const both = await Promise.all([sessionOf(env), sessionOf(env)]);
    let ready = 0;
    const gate = withResolvers();
    for (const { session: one } of both)
      holdCommits(await one.store(), async () => {
        if (++ready === 2) gate.resolve(undefined);
        await gate.promise;
      });
    const results = await Promise.allSettled([
      run({ id: DEMO, backend: V2 }, both[0].session),
      run({ id: DEMO, backend: V3, force: true }, both[1].session),
    ]);
    const lost = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    expect(lost).toMatchObject([{ code: 'changed-meanwhile', exit: 6 }]);
    const [only, ...none] = await history(session, DEMO);
    expect(none).toEqual([]);
    expect(await where()).toBe(only?.to);
    for (const { session: one } of both) await one.close();
  });

  test('it waits until every gateway serves it', async () => {
    const gateways = await Promise.all(['a', 'b', 'c'].map((name) => fakeGateway(place.store, env, name)));
    const { served } = await run({ backend: 'v0.2.0' });
    expect(served).toMatchObject({ gateways: 3 });
    expect(served?.ms).toBeLessThan(5000);
    for (const gateway of gateways) await gateway.stop();
  });

  test('a gateway that lags is named, and the switch stands; one that dies is not waited for', async () => {
    const lazy = await fakeGateway(place.store, env, 'lazy', false);
    const dying = await fakeGateway(place.store, env, 'dying', false);
    const request = { backend: 'v0.2.0', waitTimeout: '300ms' };
    await expect(run(request)).rejects.toMatchObject({
      code: 'gateway-lagging',
      exit: 1,
      message: expect.stringMatching(/2 of 2 gateways .*dying \(dying\), lazy \(lazy\)/),
    });
    expect(await where()).toBe(V2);
    expect((await run({ backend: 'v0.1.0', wait: false })).served).toBeNull();
    const well = await fakeGateway(place.store, env, 'well');
    const waiting = run({ backend: 'v0.2.0' });
    await lazy.stop();
    await dying.stop();
    expect(await waiting).toMatchObject({ served: { gateways: 1 } });
    await well.stop();
  });

  test('--wait with no gateway says so', async () => {
    await run({ backend: 'v0.2.0', wait: true });
    expect(told.heard.join()).toContain('no gateway is registered');
  });

  test("a route that is ours only says so, and so does another frontend's route", async () => {
    await run({ id: 'f', backend: V1, said: { route: 'Path("/a") || !Method("GET")' } });
    await run({ id: 'g', backend: V1, said: { route: routeOf(DEMO) } });
    expect(told.heard.join()).toMatch(
      /a real vulcand will not read this route.*the same route is that of demo/,
    );
  });

  test('what the gateway does otherwise is said when it is said, and not at each switch', async () => {
    const said = { failoverPredicate: 'IsNetworkError() && (RequestMethod() == "GET" || Attempts() < 2)' };
    await run({ id: DEMO, said: { ...said, maxBodyKb: 7 } });
    expect(told.heard).toEqual([
      expect.stringMatching(`^frontend ${DEMO}: FailoverPredicate: `),
      expect.stringMatching(`^frontend ${DEMO}: MaxBodyBytes: `),
    ]);
    await run({ backend: 'v0.2.0' });
    expect(told.heard).toHaveLength(2);
    const name = { type: 'rewrite', frontend: DEMO, id: 'w' } as const;
    await upsertMiddleware(session, name, { regexp: 'a', rewriteBody: true }, undefined);
    expect(told.heard.at(-1)).toMatch(`rewrite w of frontend ${DEMO}: RewriteBody is not supported`);
  });

  test('match says who serves a request', async () => {
    expect(await matchRequest(session, `http://${DEMO}/x?y`, 'GET', [])).toMatchObject({
      frontend: DEMO,
      backend: V1,
      matched: [DEMO],
    });
    expect(await matchRequest(session, '/x', 'GET', [`Host: ${DEMO}:8080`])).toMatchObject({
      frontend: DEMO,
    });
    expect(await matchRequest(session, `http://me:secret@${DEMO}/x#top`, 'GET', [])).toMatchObject({
      frontend: DEMO,
    });
    expect(await matchRequest(session, 'http://nobody.test', 'GET', [])).toMatchObject({
      frontend: null,
      backend: null,
      matched: [],
    });
    for (const url of ['', 'nope', 'http://', 'http://a b/'])
      await expect(matchRequest(session, url, 'GET', [])).rejects.toMatchObject({ code: 'bad-url' });
    await expect(matchRequest(session, '/', 'GET', ['x'])).rejects.toMatchObject({ code: 'bad-header' });
  });

  test('the command line prints what moved, and match ends with 1 where nobody serves', async () => {
    const at = await workplace(env);
    const moved = `OK: frontend upserted\n${DEMO}: ${V1} -> ${V2}\n`;
    expect(await at.run('frontend', 'upsert', '-b', 'v0.2.0')).toEqual({
      code: 0,
      stdout: moved,
      stderr: '',
    });
    const json = await at.run('frontend', 'rollback', '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({ frontend: DEMO, from: V2, to: V1, served: null });
    const match = await at.run('frontend', 'match', '--json', 'http://nobody.test/');
    expect([match.code, JSON.parse(match.stdout).frontend]).toEqual([1, null]);
    const before = await place.store.range('/');
    const away = ['--endpoint', `http://127.0.0.1:${await freePort()}`, '--request-timeout', '1s'];
    expect(await at.run('frontend', 'upsert', '-b', 'v0.2.0', ...away)).toMatchObject({
      code: 5,
      stdout: '',
    });
    expect((await place.store.range('/')).entries).toEqual(before.entries);
    await at.remove();
  });
});
