import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chosenProxy } from '../../../src/lib/gateway/chosen-proxy.ts';
import type { ServedRequest } from '../../../src/lib/gateway/model.ts';
import type { RunningProxy } from '../../../src/lib/gateway/proxy.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/port.ts';
import { stateOf } from './support/haproxy-run.ts';
import { type Backend, backend, get, temporary, testLogger } from './support/process.ts';

/** What every kind of proxy promises. A second one gets a line here. */
describe.each([{ kind: chosenProxy, program: 'haproxy' }])('$kind.name', ({ kind, program }) => {
  const place = temporary();
  const { logger } = testLogger();
  const requests: ServedRequest[] = [];
  let listen: number;
  let a: Backend;
  let b: Backend;
  let proxy: RunningProxy;

  const open = (): RunningProxy =>
    kind.open({
      program,
      runDirectory: place.dir,
      listen: `127.0.0.1:${listen}`,
      openKeyPair: () => new Error('sealed'),
      logger,
      onRequest: (request) => void requests.push(request),
    });
  const frontend = (BackendId: string, Route: string) => ({ Type: 'http', BackendId, Route });
  const breaker = {
    Type: 'cbreaker',
    Priority: 1,
    Middleware: {
      Condition: 'NetworkErrorRatio() > 0.5',
      Fallback: { Type: 'response', Action: { StatusCode: 418, Body: 'fallback' } },
    },
  };
  /** Frontend f goes to this backend. */
  const state = (to: string, more: Record<string, unknown> = {}) =>
    stateOf({
      'backends/A/backend': { Type: 'http' },
      'backends/A/servers/s': { URL: `http://127.0.0.1:${a.port}` },
      'backends/B/backend': { Type: 'http' },
      'backends/B/servers/s': { URL: `http://127.0.0.1:${b.port}` },
      'frontends/f/frontend': frontend(to, 'Host("x")'),
      'frontends/f/middlewares/cb': breaker,
      ...more,
    });
  const body = async (): Promise<string> => (await get(listen, 'x')).body;

  beforeAll(async () => {
    listen = await freePort();
    [a, b] = [await backend('a'), await backend('b')];
    proxy = open();
    await proxy.prepare();
    expect(await proxy.adopt()).toBe(false);
    expect(await proxy.serve(state('A'), [])).toMatchObject({ kind: 'applied' });
  });

  afterAll(async () => {
    await proxy.stop();
    a.close();
    b.close();
    place.remove();
  });

  test('serves a state, and then another one', async () => {
    expect(await body()).toBe('a');
    expect(await proxy.serve(state('B'), [])).toMatchObject({ kind: 'applied' });
    expect(await body()).toBe('b');
    expect(proxy.status()).toMatchObject({ name: kind.name, pid: expect.any(Number) });
  });

  test('notes are what serving leaves out, and all else is served', async () => {
    const odd = state('A', {
      'frontends/bad/frontend': frontend('A', 'PathRegexp("(a+)+$")'),
      'frontends/lost/frontend': frontend('nowhere', 'Host("lost")'),
      'frontends/broken/frontend': '{',
      'frontends/f/middlewares/rw': {
        Type: 'rewrite',
        Priority: 2,
        Middleware: { Regexp: 'x', Replacement: 'y', RewriteBody: true },
      },
    });
    const served = await proxy.serve(odd, []);
    expect(served).toEqual({ kind: 'applied', how: expect.any(String), notes: kind.notes(odd) });
    const { leftOut, notes } = kind.notes(odd);
    expect(leftOut.map(({ object }) => object).sort()).toEqual([
      '/vulcand/frontends/broken/frontend',
      'frontend bad',
    ]);
    expect(notes.map(({ object }) => object).sort()).toEqual(['frontend lost', 'rewrite rw of frontend f']);
    expect(await body()).toBe('a');
  });

  test('a refused state names the paths at fault, and what was served before is still served', async () => {
    await proxy.serve(state('A'), []);
    const address = (port: number) => ({
      Protocol: 'http',
      Address: { Network: 'tcp', Address: `127.0.0.1:${port}` },
    });
    const taken = state('B', { 'listeners/own': address(listen), 'listeners/taken': address(a.port) });
    expect(await proxy.serve(taken, [])).toMatchObject({
      kind: 'refused',
      paths: ['listeners/taken'],
      isFatal: false,
    });
    expect(await body()).toBe('a');
    expect(await proxy.check(state('B'))).toBeNull();
    expect(await body()).toBe('a');
  });

  test('a frontend whose breaker is open gets the fallback', async () => {
    await proxy.serve(state('A'), [{ frontend: 'f', middleware: 'cb' }]);
    expect(await get(listen, 'x')).toEqual({ status: 418, body: 'fallback' });
    await proxy.serve(state('A'), []);
    expect(await body()).toBe('a');
  });

  test('requests of a frontend with a breaker are reported, and counted by the ids of the state', async () => {
    await proxy.serve(state('A'), []);
    await get(listen, 'x', '/p?status=503');
    const asked = () => requests.find(({ path }) => path.startsWith('/p'));
    await eventually('reported', () => asked() !== undefined);
    expect(asked()).toMatchObject({
      frontend: 'f',
      method: 'GET',
      path: '/p?status=503',
      status: 503,
      isOwnAnswer: false,
    });
    const { frontends, servers } = await proxy.top(state('A'));
    expect(frontends).toMatchObject([{ id: 'f', backend: 'A' }]);
    expect(frontends[0]?.requests).toBeGreaterThan(0);
    expect(servers.find(({ backend: of }) => of === 'A')).toMatchObject({ id: 's', isUp: true });
  });

  test('left running, it is adopted by the next process', async () => {
    await proxy.serve(state('B'), []);
    const { pid } = proxy.status();
    await proxy.leave();
    expect(await body()).toBe('b');
    proxy = open();
    await proxy.prepare();
    expect(await proxy.adopt()).toBe(true);
    expect(proxy.status().pid).toBe(pid);
    expect(await proxy.serve(state('A'), [])).toMatchObject({ kind: 'applied' });
    expect(await body()).toBe('a');
  });

  test('stopped later, unless the next process is there by then', async () => {
    const present = join(place.dir, 'present');
    writeFileSync(present, '');
    await proxy.stopLater(present);
    await sleep(4000);
    expect(await body()).toBe('a');

    proxy = open();
    expect(await proxy.adopt()).toBe(true);
    await proxy.stopLater(join(place.dir, 'absent'));
    expect(await body()).toBe('a');
    await eventually('stopped', async () => (await get(listen, 'x')).status === 0, 10_000);
    proxy = open();
    expect(await proxy.adopt()).toBe(false);
  });

  test('an address that it cannot listen on is refused before anything happens', () => {
    const options = {
      program,
      runDirectory: join(place.dir, 'never'),
      openKeyPair: () => '',
      logger,
      onRequest: () => undefined,
    };
    expect(() => kind.open({ ...options, listen: 'nonsense' })).toThrow(/--listen "nonsense"/);
    expect(existsSync(options.runDirectory)).toBe(false);
  });
});
