import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Top } from '../../../src/lib/gateway/top.ts';
import { GatewaySettingsRegistry } from '../../../src/lib/registry/index.ts';
import { runCli } from '../../support/cli.ts';
import { eventually } from '../../support/eventually.ts';
import {
  a,
  admin,
  b,
  etcd,
  frontend,
  gateway,
  listen,
  place,
  record,
  served,
  status,
  store,
  url,
  withGateway,
  write,
} from './support/gateway.ts';
import { get, load, upgraded } from './support/process.ts';

withGateway();

test('a switch under load: no failure, no reload, and the record says when it is live', async () => {
  const before = await status();
  const going = load(listen, 'x');
  const took: number[] = [];
  for (let turn = 0; turn < 20; turn++) {
    const to = turn % 2 === 0 ? 'B' : 'A';
    const started = performance.now();
    const revision = await write({ 'frontends/f/frontend': frontend(to, 'Host("x")') });
    await served(revision);
    took.push(performance.now() - started);
    expect((await get(listen, 'x')).body).toBe(to.toLowerCase());
    await sleep(40);
  }
  const { total, failed } = await going.end();
  expect(failed).toEqual([]);
  expect(total).toBeGreaterThan(200);
  took.sort((x, y) => x - y);
  expect(took[10]).toBeLessThan(250);
  const { proxy: now, storeConnected, failing } = await status();
  expect([now.pid, now.reloads, storeConnected, failing]).toEqual([
    before.proxy.pid,
    before.proxy.reloads,
    true,
    null,
  ]);
});

test('one transaction is one change, a new frontend and server need no reload, a new backend reloads unnoticed', async () => {
  const before = (await status()).proxy.reloads;
  const going = load(listen, 'x');
  await served(
    await write({
      'backends/A/servers/a@2': url(b),
      'frontends/g/frontend': frontend('B', 'Host("g") && PathRegexp(".*")'),
    }),
  );
  expect((await get(listen, 'g', '/any')).body).toBe('b');
  expect((await status()).proxy.reloads).toBe(before);
  const { socket, heard } = upgraded(listen, 'g');
  await eventually('upgraded', () => heard().endsWith('b:'));
  await served(
    await write({
      'backends/C/backend': { Type: 'http' },
      'backends/C/servers/c': url(a),
      'frontends/h/frontend': frontend('C', 'Host("h") && Method("GET")'),
      'backends/A/servers/a@2': null,
    }),
  );
  expect((await get(listen, 'h')).body).toBe('a');
  expect((await status()).proxy.reloads).toBe(before + 1);
  expect((await going.end()).failed).toEqual([]);
  socket.write('still');
  await eventually('echoed', () => heard().endsWith('b:still'));
  socket.destroy();
});

test('broken and hostile values are left out and reported once; everything else goes on', async () => {
  const going = load(listen, 'x', 4);
  const revision = await write({
    'frontends/bad/frontend': frontend('A', 'Nonsense("x")'),
    'frontends/worse/frontend': '{not json',
    'backends/A/servers/evil': { URL: 'http://127.0.0.1:1\n  server injected 127.0.0.1:2' },
    'backends/E\nvil/backend': { Type: 'http' },
    'frontends/fine/frontend': frontend('B', 'Host("fine")'),
  });
  await served(revision);
  expect((await get(listen, 'fine')).body).toBe('b');
  const names = (await status()).leftOut.map(({ object }) => object).join('\n');
  for (const part of ['bad', 'worse', 'evil']) expect(names).toContain(part);
  await served(
    await write({
      'frontends/bad/frontend': null,
      'frontends/worse/frontend': null,
      'backends/A/servers/evil': null,
      'backends/E\nvil/backend': null,
    }),
  );
  expect((await status()).leftOut).toEqual([]);
  expect(gateway.log().split('worse').length).toBe(2);
  expect((await going.end()).failed).toEqual([]);
});

test('a listener whose address is taken is held back alone', async () => {
  const taken = { Protocol: 'http', Address: { Network: 'tcp', Address: `127.0.0.1:${a.port}` } };
  const own = { Protocol: 'http', Address: { Network: 'tcp', Address: `127.0.0.1:${listen}` } };
  await served(
    await write({
      'listeners/own': own,
      'listeners/taken': taken,
      'frontends/later/frontend': frontend('B', 'Host("later")'),
    }),
  );
  const { leftOut } = await status();
  expect(JSON.stringify(leftOut)).toContain('EADDRINUSE');
  await served(await write({ 'listeners/taken': null, 'listeners/own': null }));
  expect((await get(listen, 'later')).body).toBe('b');
  expect((await status()).leftOut).toEqual([]);
});

test('statistics: top, Prometheus, the commands, and the log severity at run time', async () => {
  await served(await write({ 'frontends/f/frontend': frontend('B', 'Host("x")') }));
  for (let n = 0; n < 10; n++) await get(listen, 'x');
  const top: Top = JSON.parse((await get(admin, 'admin', '/v1/top')).body);
  expect(top.frontends.find(({ id }) => id === 'f')).toMatchObject({ backend: 'B', serverErrors: 0 });
  expect(top.frontends.find(({ id }) => id === 'f')?.requests).toBeGreaterThanOrEqual(10);
  expect(top.servers.find(({ id }) => id === 'b@1')).toMatchObject({ backend: 'B', networkErrors: 0 });
  expect((await get(admin, 'admin', '/metrics')).body).toMatch(
    /cluster_server_requests_total\{backend="B",server="b@1"\} [1-9]/,
  );
  const env = { ...place.env, CLUSTER_ENDPOINT: etcd.endpoint };
  const shown = await runCli(['gateway', 'status'], place.dir, env);
  expect(shown).toMatchObject({ code: 0, stderr: '' });
  expect(shown.stdout).toMatch(/feedface\.\.\. .*serving/);
  const ranked = await runCli(['gateway', 'top', '--json'], place.dir, env);
  expect(JSON.parse(ranked.stdout).frontends.length).toBeGreaterThan(3);
  const other = { ...(await record()), machine: 'deadbeef'.repeat(4), hostname: 'elsewhere' };
  const away = `/cluster/gateways/${other.machine}`;
  await store.commit({ compare: [], writes: [{ put: away, value: JSON.stringify(other) }] });
  const both = await runCli(['gateway', 'status'], place.dir, env);
  expect(both.code).toBe(4);
  expect(both.stdout).toMatch(/deadbeef\.\.\. .*unreachable[\s\S]*feedface\.\.\. .*serving/);
  expect(both.stderr).toContain('no machine deadbeef is registered');
  await store.commit({ compare: [], writes: [{ remove: away }] });
  const settings = new GatewaySettingsRegistry(store, '/cluster');
  await settings.set(await settings.load(), { v: 1, severity: 'debug' });
  await eventually('debug', async () => (await status()).severity === 'debug');
});
