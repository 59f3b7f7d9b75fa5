import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FakeDocker } from './support/fake-docker.ts';
import {
  application,
  CHECKED,
  demo,
  docker,
  ends,
  etcd,
  keys,
  lease,
  lines,
  M2,
  NAME,
  ONE,
  poll,
  problems,
  registrator,
  SERVER,
  servers,
  store,
  value,
  withRegistry,
} from './support/registrator.ts';

withRegistry();

test('a restart of the registrator takes no key away; what is gone meanwhile goes', async () => {
  const app = await application();
  docker.run('c1', demo(app.port, 1, CHECKED));
  docker.run('c2', demo(app.port, 2));
  const end = await registrator();
  await poll(servers).toHaveLength(2);
  const before = await lease(SERVER);
  const values = await value(SERVER);
  const { revision } = await store.range('/vulcand/');
  await end();
  docker.containers.delete('c2');
  expect(await servers()).toHaveLength(2);
  await registrator();
  await poll(servers).toEqual([ONE]);
  await poll(() => lease(SERVER)).not.toBe(before);
  expect(await value(SERVER)).toEqual(values);
  const over = new AbortController();
  const removed: string[] = [];
  setTimeout(() => over.abort(), 300);
  for await (const event of store.watch('/vulcand/', revision, over.signal))
    if (event.type === 'remove') removed.push(event.key);
  expect(
    removed.every((key) => key.includes(`${NAME}@2`)),
    removed.join(' '),
  ).toBe(true);
});

test('a dead registrator: servers go with the lease, another removes the shared objects after the grace time', async () => {
  docker.run('c1', demo(1234));
  const other = new FakeDocker();
  await other.start();
  ends.push(() => other.stop());
  await registrator({ machine: M2, graceMs: 700 }, other);
  const end = await registrator({ ttlSeconds: 2, refreshSeconds: 1 });
  await poll(servers).toEqual([ONE]);
  await end();
  await poll(servers, 8000).toEqual([]);
  expect(await keys()).toEqual([`/vulcand/backends/${NAME}/backend`, `/vulcand/frontends/${NAME}/frontend`]);
  await poll(keys, 5000).toEqual([]);
});

test('the store away: checks go on, and it catches up, also under a new lease', async () => {
  const app = await application();
  docker.run('c1', demo(app.port, 1, CHECKED));
  await registrator({ ttlSeconds: 2, refreshSeconds: 1 });
  await poll(servers).toEqual([ONE]);
  const before = await lease(SERVER);
  await etcd.kill();
  app.code = 500;
  await poll(() => lines.at(-1)).toContain('result HTTP code 500');
  docker.run('c2', demo(app.port, 2));
  await sleep(500);
  await etcd.start();
  await poll(servers, 10_000).toEqual([`${NAME}@2`]);
  app.code = 200;
  await poll(servers, 5000).toHaveLength(2);
  etcd.etcdctl('lease', 'revoke', BigInt((await lease(SERVER)) ?? 0).toString(16));
  await poll(servers, 5000).toHaveLength(2);
  expect(await lease(SERVER)).not.toBe(before);
  expect(problems.filter((line) => line.startsWith('the store is away'))).not.toEqual([]);
  expect(lines.filter((line) => line === 'the store is back')).toHaveLength(1);
});

test('Docker away: what does not answer goes, the rest stays; afterwards all is looked at anew', async () => {
  const [stays, dies] = [await application(), await application()];
  docker.run('c1', demo(stays.port));
  docker.run('c2', demo(dies.port, 2));
  await registrator();
  await poll(servers).toHaveLength(2);
  await docker.stop();
  dies.server.close();
  dies.server.closeAllConnections();
  await poll(servers, 3000).toEqual([ONE]);
  docker.containers.delete('c1');
  docker.containers.set('c3', { ...demo(stays.port, 3), id: 'c3' });
  await docker.start();
  await poll(async () => (await servers()).includes(ONE), 3000).toBe(false);
  await poll(servers).toContain(`${NAME}@3`);
  // The broken stream, and then the socket that is gone: once each at most, and one line for the end of it.
  const away = problems.filter((line) => line.startsWith('Docker is away'));
  expect([1, 2]).toContain(away.length);
  expect(new Set(away).size).toBe(away.length);
  expect(lines.filter((line) => line === 'Docker is back')).toHaveLength(1);
  docker.run('c4', demo(stays.port, 4));
  await poll(servers).toContain(`${NAME}@4`);
});

test('it may start before Docker', async () => {
  await docker.stop();
  await registrator();
  await sleep(300);
  docker.containers.set('c1', { ...demo(1234), id: 'c1' });
  await docker.start();
  await poll(servers, 3000).toEqual([ONE]);
});
