import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FakeDocker } from './support/fake-docker.ts';
import {
  demo,
  docker,
  ends,
  etcd,
  keys,
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

test('the shared objects stay while another machine has an instance', async () => {
  docker.run('c1', demo(1234));
  const other = new FakeDocker();
  await other.start();
  ends.push(() => other.stop());
  other.run('c2', demo(1235, 2));
  await registrator({ graceMs: 100 });
  await registrator({ machine: M2, graceMs: 100 }, other);
  await poll(servers).toHaveLength(2);
  docker.gone('c1');
  await poll(servers).toEqual([`${NAME}@2`]);
  await sleep(500);
  expect(await keys()).toContain(`/vulcand/frontends/${NAME}/frontend`);
});

test('the same id on two machines: the later start is announced, and nobody fights', async () => {
  docker.run('c1', demo(1111, 1, {}, { state: { StartedAt: '2026-01-01T00:00:00Z' } }));
  const other = new FakeDocker();
  await other.start();
  ends.push(() => other.stop());
  await registrator();
  await poll(servers).toEqual([ONE]);
  await registrator({ machine: M2 }, other);
  other.run('c2', demo(2222, 1, {}, { state: { StartedAt: '2026-01-02T00:00:00Z' } }));
  await poll(() => value(SERVER)).toMatchObject({ URL: 'http://127.0.0.1:2222' });
  await sleep(300);
  const { revision } = await store.range('/vulcand/');
  await sleep(500);
  expect((await store.range('/vulcand/')).revision).toBe(revision);
  other.gone('c2');
  await poll(() => value(SERVER)).toMatchObject({ URL: 'http://127.0.0.1:1111' });
});

test("an operator's own frontend stays, and broken values of others do no harm", async () => {
  const own = JSON.stringify({ Type: 'http', BackendId: 'mine', Route: 'Path("/")' });
  const puts = {
    [`/vulcand/frontends/${NAME}/frontend`]: own,
    '/vulcand/frontends/broken/frontend': '{',
    '/vulcand/backends/odd': 'null',
    '/cluster/services/odd': '[]',
    '/cluster/services/a/b/c': '{"v":2}',
  };
  for (const [key, text] of Object.entries(puts)) etcd.etcdctl('put', key, text);
  docker.run('c0', {
    name: 'bad',
    ports: { 80: 1 },
    env: { SERVICE_FRONTEND_HOST_CONTAINER: '") || Path("/' },
  });
  docker.run('c1', demo(1234));
  await registrator({ graceMs: 50 });
  await poll(servers).toEqual([ONE]);
  await sleep(200);
  for (const [key, text] of Object.entries(puts)) expect((await store.get(key))?.value.trim()).toBe(text);
  expect(problems.join('\n')).toContain(`frontend ${NAME} is somebody else's`);
  expect(problems.join('\n')).toContain('is not a host name');
});

test('a second registrator on one machine takes over, and the first ends with an error', async () => {
  docker.run('c1', demo(1234));
  const first = await registrator();
  await poll(servers).toEqual([ONE]);
  await registrator();
  await sleep(500);
  await expect(first()).rejects.toMatchObject({ code: 'registrator-displaced' });
  expect(await servers()).toEqual([ONE]);
});
