import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { runCli } from '../../support/cli.ts';
import {
  application,
  CHECKED,
  demo,
  docker,
  etcd,
  keys,
  lease,
  M1,
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

const RECORD = `/cluster/registrators/${M1}`;
const HOST = 'SERVICE_FRONTEND_HOST_LOAD_BALANCER';
const status = (...args: string[]) =>
  runCli(['registrator', 'status', ...args], process.cwd(), {
    ...process.env,
    CLUSTER_ENDPOINT: etcd.endpoint,
  });

test('of several ports none gets the one host name: said in the journal and in the status, until it is set', async () => {
  const caddy = { name: 'caddy', image: 'caddy:2', ports: { 80: 8080, 443: 8443, 2019: 2019 } };
  docker.run('c1', { ...caddy, env: { [HOST]: 'shop.test' } });
  await registrator();
  const problem = expect.stringContaining('say which: SERVICE_80_FRONTEND_HOST_LOAD_BALANCER=shop.test');
  await poll(() => value(RECORD)).toMatchObject({ machine: M1, announced: 0, problems: [problem] });
  expect(problems).toEqual([problem]);
  expect(await keys()).toEqual([]);
  expect(await lease(RECORD)).not.toBeNull();
  const shown = await status();
  expect(shown).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/ ANNOUNCED .*\n.*registrator: container caddy/s),
  });
  expect(JSON.parse((await status('--json')).stdout)).toMatchObject([{ problems: [problem] }]);

  docker.gone('c1');
  docker.run('c2', { ...caddy, env: { SERVICE_80_FRONTEND_HOST_LOAD_BALANCER: 'shop.test' } });
  await poll(() => value('/vulcand/frontends/caddy-80/frontend')).toMatchObject({ BackendId: 'caddy-80' });
  expect((await keys()).filter((key) => key.includes('2019'))).toEqual([]);
  await poll(() => value(RECORD)).toMatchObject({ announced: 1, problems: [] });
});

test("a host name that is an operator's is said, and said no more when the operator's frontend is gone", async () => {
  const key = '/vulcand/frontends/shop/frontend';
  const own = { Type: 'http', BackendId: 'shop', Route: `Host("${NAME}.example.test")` };
  etcd.etcdctl('put', key, JSON.stringify(own));
  docker.run('c1', demo(1234));
  await registrator();
  await poll(() => problems).toEqual([
    `frontend ${NAME}: it gets no request: all of ${NAME}.example.test goes to frontend shop, which an operator made`,
  ]);
  etcd.etcdctl('del', key);
  await poll(() => value(RECORD)).toMatchObject({ problems: [] });
});

test('a name and a check without a host name: a backend without a frontend, one line, and it stays while sick', async () => {
  const app = await application();
  const without = { [HOST]: '', SERVICE_FRONTEND_HOST_CONTAINER: '' };
  docker.run('c1', demo(app.port, 1, { ...without, ...CHECKED }));
  docker.run('c2', demo(app.port, 2, { ...without, ...CHECKED }));
  await registrator({ graceMs: 100 });
  await poll(servers).toHaveLength(2);
  expect(problems).toEqual([expect.stringContaining(`backend ${NAME} is announced without a frontend`)]);
  expect((await keys()).filter((key) => key.includes('/frontends/'))).toEqual([]);
  app.code = 500;
  await poll(servers).toEqual([]);
  const { revision } = await store.range('/vulcand/');
  await sleep(600);
  expect((await store.range('/vulcand/')).revision).toBe(revision);
  expect(await keys()).toContain(`/vulcand/backends/${NAME}/backend`);
  docker.gone('c1');
  docker.gone('c2');
  await poll(keys).toEqual([]);
});

test('frontend upsert waits for a backend that is being checked, and says so', async () => {
  const app = await application();
  app.code = 503;
  docker.run('c1', demo(app.port, 1, CHECKED));
  await registrator();
  await poll(keys).toContain(`/vulcand/backends/${NAME}/backend`);
  const env = { ...process.env, CLUSTER_ENDPOINT: etcd.endpoint };
  const upsert = (...args: string[]) =>
    runCli(['frontend', 'upsert', '--id', 'live', '-b', NAME, ...args], process.cwd(), env);
  const old = { Type: 'http', BackendId: 'old', Route: 'Host("live.test")' };
  etcd.etcdctl('put', '/vulcand/backends/old/backend', '{"Type":"http"}');
  etcd.etcdctl('put', '/vulcand/frontends/live/frontend', JSON.stringify(old));
  expect(await upsert('--wait-backend', '0')).toMatchObject({ code: 1, stdout: '' });
  expect(await upsert('--wait-backend', 'soon')).toMatchObject({ code: 1, stdout: '' });
  const waiting = upsert();
  await sleep(1500);
  app.code = 200;
  const ran = await waiting;
  expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining(`old -> ${NAME}`) });
  expect(ran.stderr).toBe(`waiting for backend ${NAME}: being checked: ${ONE}\n`);
});

test('a container that stops or is paused between two checks is taken out at once, and comes back healthy', async () => {
  const app = await application();
  const slow = { ...CHECKED, SERVICE_CHECK_INTERVAL: '30s' };
  docker.run('c1', demo(app.port, 1, slow));
  await registrator();
  await poll(servers).toEqual([ONE]);
  docker.containers.set('c1', { ...demo(app.port, 1, slow), id: 'c1', state: { Paused: true } });
  docker.tell('c1', 'pause');
  await poll(servers).toEqual([]);
  docker.containers.set('c1', { ...demo(app.port, 1, slow), id: 'c1' });
  docker.tell('c1', 'unpause');
  await poll(servers).toEqual([ONE]);
  docker.gone('c1', 1);
  await poll(servers).toEqual([]);
  expect(await value(SERVER)).toBeNull();
});
