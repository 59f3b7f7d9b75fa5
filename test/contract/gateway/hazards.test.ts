import { createServer } from 'node:http';
import { createServer as createMute } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { freePort, listening } from '../../support/port.ts';
import {
  ask,
  etcd,
  frontend,
  gateway,
  good,
  listen,
  place,
  start,
  status,
  withServed,
  write,
} from './support/hazards.ts';
import { get } from './support/process.ts';

// What made vulcand end at its start: traps 4 and 5.
withServed({
  'frontends/lost/frontend': frontend('gone', 'lost'),
  'frontends/broken/frontend': '{oops',
  'backends/broken/backend': '[1]',
  'hosts/broken/host': 'null',
  'listeners/broken': '"x"',
});

test('4: an unknown backend, a backend of servers only and broken values do not keep it from starting', async () => {
  expect(gateway.child.exitCode).toBeNull();
  expect((await get(listen, 'lost')).status).toBe(503);
  expect((await get(listen, 'orphan')).status).toBe(503);
  // HAProxy serves a moment before the gateway knows that it does.
  await eventually('reported', async () => (await status()).leftOut.length > 0);
  const { leftOut, notes } = await status();
  const out = leftOut.map(({ object }) => object).join('\n');
  for (const path of ['frontends/broken', 'backends/broken', 'hosts/broken', 'listeners/broken'])
    expect(out).toContain(path);
  expect(notes).toContainEqual({ object: 'frontend lost', message: expect.stringContaining('gone') });
  await write({
    'frontends/broken/frontend': null,
    'backends/broken/backend': null,
    'hosts/broken/host': null,
    'listeners/broken': null,
  });
  expect((await status()).leftOut).toEqual([]);
});

test('5: a frontend from before its backend is served once that comes', async () => {
  await write({ 'backends/gone/backend': { Type: 'http' } });
  expect((await get(listen, 'lost')).status).toBe(503);
  await write({ 'backends/gone/servers/s': good() });
  expect((await get(listen, 'lost')).status).toBe(200);
  await write({ 'backends/headless/backend': { Type: 'http' } });
  expect((await get(listen, 'orphan')).status).toBe(200);
  await write({ 'backends/gone/backend': null, 'backends/gone/servers/s': null });
  expect((await get(listen, 'lost')).status).toBe(503);
});

test('6: each setting takes effect alone', async () => {
  const forged = { 'x-forwarded-for': '9.9.9.9' };
  expect((await ask('good', forged)).seen['x-forwarded-for']).toBe('127.0.0.1');
  await write({ 'frontends/good/frontend': frontend('good', 'good', { TrustForwardHeader: true }) });
  expect((await ask('good', forged)).seen['x-forwarded-for']).toMatch(/^9\.9\.9\.9,\s*127\.0\.0\.1$/);
  await write({ 'frontends/good/frontend': frontend('good', 'good', { Hostname: 'edge.test' }) });
  expect((await ask('good', forged)).seen).toMatchObject({
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-server': 'edge.test',
  });
  await write({ 'frontends/good/frontend': frontend('good', 'good', { Limits: { MaxBodyBytes: 4 } }) });
  expect((await ask('good', {}, '12345')).status).toBe(413);
  await write({ 'frontends/good/frontend': frontend('good', 'good', { PassHostHeader: true }) });
  expect(await ask('good', {}, '12345')).toMatchObject({ status: 200, seen: { host: 'good' } });
  await write({ 'backends/good/backend': { Type: 'http', Settings: { Timeouts: { Read: '200ms' } } } });
  expect((await get(listen, 'good', '/?wait=1500')).status).toBe(504);
  await write({ 'backends/good/backend': { Type: 'http' } });
  expect((await get(listen, 'good', '/?wait=500')).status).toBe(200);
});

test('6: Stream alone takes effect: nothing is sent twice', async () => {
  let hits = 0;
  const breaking = createServer((incoming) => {
    hits++;
    incoming.socket.destroy();
  });
  const bad = { URL: `http://127.0.0.1:${await listening(breaking)}` };
  const twice = (Settings: object) => frontend('flaky', 'flaky', Settings);
  await write({
    'backends/flaky/backend': { Type: 'http' },
    'backends/flaky/servers/bad': bad,
    'frontends/flaky/frontend': twice({}),
  });
  await get(listen, 'flaky');
  expect(hits).toBe(2);
  await write({ 'frontends/flaky/frontend': twice({ Stream: true }) });
  hits = 0;
  await get(listen, 'flaky');
  expect(hits).toBe(1);
  await write({
    'frontends/flaky/frontend': null,
    'backends/flaky/backend': null,
    'backends/flaky/servers/bad': null,
  });
  breaking.close();
});

test('7: what is not live is said by the lists, by the status command and in the log', async () => {
  await write({ 'frontends/bad/frontend': { ...frontend('good', 'bad'), Route: 'Nonsense("x")' } });
  const run = (...args: string[]) => place.run(...args, '--endpoint', etcd.endpoint);
  expect((await run('frontend', 'ls')).stderr).toContain('/vulcand/frontends/bad/frontend');
  const shown = await run('gateway', 'status', '--json');
  expect(JSON.parse(shown.stdout)[0].leftOut).toMatchObject([{ object: expect.stringContaining('bad') }]);
  expect((await run('gateway', 'status')).stdout).toMatch(/bad/);
  expect(gateway.log()).toMatch(/left out: .*frontends\/bad/);
  await write({ 'frontends/bad/frontend': null });
});

test.each([
  ['refuses', async () => ({ endpoint: `http://127.0.0.1:${await freePort()}`, close: () => undefined })],
  [
    'accepts and never answers',
    async () => {
      const mute = createMute();
      const endpoint = `http://127.0.0.1:${await listening(mute)}`;
      return { endpoint, close: () => void mute.close() };
    },
  ],
])('an etcd that %s at the first start: it answers for itself, and SIGTERM ends it', async (_, away) => {
  const { endpoint, close } = await away();
  const ports = { listen: await freePort(), admin: await freePort() };
  const alone = start(`alone-${ports.admin}`, ports, { CLUSTER_ENDPOINT: endpoint });
  await eventually(
    'its own interface',
    async () => (await get(ports.admin, 'admin', '/v1/status')).status === 200,
    20_000,
  );
  await eventually('said', () => alone.log().includes('no state is saved here'), 20_000);
  expect((await status(ports.admin)).storeConnected).toBe(false);
  alone.child.kill('SIGTERM');
  expect(await Promise.race([alone.ended, sleep(15_000, 'still there')])).toBe(0);
  close();
});
