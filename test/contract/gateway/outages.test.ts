import { expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import {
  b,
  etcd,
  frontend,
  gateway,
  haproxy,
  listen,
  place,
  served,
  start,
  startAgain,
  status,
  url,
  withGateway,
  write,
} from './support/gateway.ts';
import { get, load } from './support/process.ts';

withGateway();

test('HAProxy killed: back within a second', async () => {
  const pid = (await status()).proxy.pid ?? 0;
  process.kill(pid, 'SIGKILL');
  const killed = Date.now();
  await eventually('another HAProxy', async () => ![null, pid].includes((await status()).proxy.pid));
  await eventually('served', async () => (await get(listen, 'x')).status === 200);
  expect(Date.now() - killed).toBeLessThan(2000);
});

test('the gateway process killed: HAProxy goes on, and the next process takes it over', async () => {
  await served(await write({ 'frontends/f/frontend': frontend('A', 'Host("x")') }));
  const before = await haproxy().state();
  const going = load(listen, 'x');
  gateway.child.kill('SIGKILL');
  await gateway.ended;
  const revision = await write({ 'frontends/f/frontend': frontend('B', 'Host("x")') });
  expect((await get(listen, 'x')).body).toBe('a');
  startAgain();
  await served(revision);
  expect((await get(listen, 'x')).body).toBe('b');
  expect(await haproxy().state()).toMatchObject({ pid: before?.pid, worker: { pid: before?.worker?.pid } });
  expect((await going.end()).failed).toEqual([]);
  expect(gateway.log()).toContain('took over');
});

test('a second gateway on the same machine is refused and harms nothing', async () => {
  const second = start();
  expect(await second.ended).toBe(1);
  expect(second.log()).toContain('listens on');
  expect((await get(listen, 'x')).status).toBe(200);
});

test('etcd away: serving goes on, also after a restart without it; changes come when it is back', async () => {
  await etcd.kill();
  expect((await get(listen, 'x')).body).toBe('b');
  gateway.child.kill('SIGTERM');
  expect(await gateway.ended).toBe(0);
  await eventually('HAProxy ended', async () => (await haproxy().state()) === null);
  startAgain();
  await eventually('served from disk', async () => (await get(listen, 'x')).body === 'b', 8000);
  expect((await status()).storeConnected).toBe(false);
  await etcd.start();
  let revision = 0;
  await eventually('written', async () => {
    revision = await write({ 'frontends/f/frontend': frontend('A', 'Host("x")') }).catch(() => 0);
    return revision > 0;
  });
  await eventually('served', async () => (await get(listen, 'x')).body === 'a', 8000);
  await served(revision);
});

test('etcd wiped: a command that waits for the gateway is told no sooner than the route is served', async () => {
  await etcd.wipe();
  const cluster = (...args: string[]) => place.run(...args, '--endpoint', etcd.endpoint);
  await eventually(
    'etcd answers',
    async () => (await cluster('backend', 'upsert', '-id', 'N')).code === 0,
    20_000,
  );
  expect(await cluster('server', 'upsert', '-b', 'N', '-id', 'n', '-url', url(b).URL)).toMatchObject({
    code: 0,
  });
  const upsert = await cluster(
    'frontend',
    'upsert',
    '-id',
    'new',
    '-b',
    'N',
    '-route',
    'Host("new")',
    '--wait',
  );
  expect(upsert, upsert.stderr).toMatchObject({ code: 0 });
  expect((await get(listen, 'new')).body).toBe('b');
  await eventually('what was before is gone', async () => (await get(listen, 'x')).status === 404);
});
