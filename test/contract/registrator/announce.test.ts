import { mkdtemp, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openEmbedded } from '../../../src/lib/store/embedded.ts';
import { runCli, startCli } from '../../support/cli.ts';
import type { Described } from '../../unit/discovery/support.ts';
import {
  application,
  CHECKED,
  demo,
  docker,
  etcd,
  keys,
  lease,
  lines,
  M1,
  NAME,
  ONE,
  poll,
  registrator,
  SERVER,
  servers,
  store,
  value,
  withRegistry,
} from './support/registrator.ts';

withRegistry();

test('announces what slides 10 to 12 show', async () => {
  const app = await application();
  docker.run('c1', demo(app.port));
  await registrator();
  await poll(servers).toEqual([ONE]);
  const route = (host: string): string => `Host("${host}.example.test") && PathRegexp(".*")`;
  const url = `http://127.0.0.1:${app.port}`;
  expect(await value(SERVER)).toEqual({ Id: ONE, URL: url });
  expect(await value(`/vulcand/frontends/${NAME}/frontend`)).toMatchObject({
    Id: NAME,
    Type: 'http',
    BackendId: NAME,
    Route: route(NAME),
  });
  expect(await value(`/vulcand/frontends/${ONE}/frontend`)).toMatchObject({
    BackendId: ONE,
    Route: route(`instance-1.${NAME}`),
  });
  expect(await value(`/vulcand/backends/${ONE}/servers/${ONE}`)).toMatchObject({ URL: url });
  const leased = await lease(SERVER);
  expect(leased).not.toBeNull();
  for (const key of await keys()) {
    const shared =
      key === `/vulcand/backends/${NAME}/backend` || key === `/vulcand/frontends/${NAME}/frontend`;
    expect(await lease(key), key).toBe(shared ? null : leased);
  }
  expect(lines).toContain(`Announced ${ONE} (${url}) in backend ${NAME}`);
});

test('a container of no service leaves no trace', async () => {
  docker.run('c1', { ports: { 80: 8080 } });
  docker.run('c2', demo(1, 1, { SERVICE_IGNORE: 'true' }));
  await registrator();
  docker.run('c3', { name: 'other', ports: { 80: 8081 }, env: { SERVICE_NAME: 'other' } });
  await sleep(300);
  expect(await keys()).toEqual([]);
});

test('pause, unpause and rename are followed', async () => {
  const unnamed = (name: string, state = {}): Described => demo(1234, 1, { SERVICE_ID: '' }, { name, state });
  docker.run('c1', unnamed('first'));
  await registrator();
  await poll(servers).toEqual([`${hostname()}:first:8080`]);
  docker.tell('c1', 'pause');
  await poll(servers).toEqual([]);
  docker.tell('c1', 'unpause');
  await poll(servers).toEqual([`${hostname()}:first:8080`]);
  docker.containers.set('c1', { ...unnamed('second'), id: 'c1' });
  docker.tell('c1', 'rename');
  await poll(servers).toEqual([`${hostname()}:second:8080`]);
});

test('what ended by itself with an error stays for the ttl with --deregister on-success', async () => {
  docker.run('c1', demo(1234));
  docker.run('c2', demo(1235, 2));
  await registrator({ deregister: 'on-success', ttlSeconds: 3, refreshSeconds: 1 });
  await poll(servers).toHaveLength(2);
  docker.tell('c1', 'die', { exitCode: '1' });
  docker.tell('c2', 'die', { exitCode: '0' });
  docker.containers.clear();
  await poll(servers).toEqual([ONE]);
  await poll(servers, 6000).toEqual([]);
});

test('nothing is written while nothing changes', async () => {
  const app = await application();
  docker.run('c1', demo(app.port, 1, CHECKED));
  await registrator({ ttlSeconds: 2, refreshSeconds: 1, resyncMs: 300 });
  await poll(servers).toEqual([ONE]);
  const { revision } = await store.range('/');
  await sleep(3000);
  expect((await store.range('/')).revision).toBe(revision);
  expect(await servers()).toEqual([ONE]);
});

test('two hundred containers at once', async () => {
  for (let n = 1; n <= 200; n++) docker.containers.set(`c${n}`, { ...demo(10_000 + n, n), id: `c${n}` });
  await registrator();
  await poll(async () => (await servers()).length, 10_000).toBe(200);
  docker.containers.clear();
  for (let n = 1; n <= 200; n++) docker.tell(`c${n}`, 'die', { exitCode: '0' });
  await poll(async () => (await keys()).length, 10_000).toBe(2);
});

test('the embedded store serves as well, for a single server', async () => {
  const app = await application();
  docker.run('c1', demo(app.port, 1, CHECKED));
  const directory = await mkdtemp(join(tmpdir(), 'cluster-registrator-'));
  const own = await openEmbedded(directory);
  const end = await registrator({ store: own });
  const there = async (): Promise<boolean> => (await own.get(SERVER)) !== null;
  await poll(there).toBe(true);
  app.code = 500;
  await poll(there).toBe(false);
  app.code = 200;
  await poll(there).toBe(true);
  await end();
  await own.close();
  await rm(directory, { recursive: true });
});

test('the command: an address is never guessed, and SIGTERM leaves all as it is', async () => {
  const env = { PATH: process.env.PATH, HOME: '/nonexistent', CLUSTER_ENDPOINT: etcd.endpoint };
  const args = ['registrator', '--docker', docker.address, '--machine', M1];
  const refused = await runCli(args, '/', env);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('is not registered');
  expect(refused.stderr).toContain('--ip');
  const bad = await runCli([...args, '--ip', '127.0.0.1', '--ttl', '5'], '/', env);
  expect(bad.stderr).toContain('--ttl 5 is not greater than --ttl-refresh 5');
  for (const ip of ['999.1.1.1', 'a b', 'h/x', 'h:80'])
    expect((await runCli([...args, '--ip', ip], '/', env)).stderr).toContain(
      `--ip "${ip}" is not an address`,
    );
  const record = {
    v: 1,
    id: M1,
    target: { address: '10.1.2.3', port: 22, user: 'root' },
    facts: {
      machineId: M1,
      bootId: 'b',
      hostname: 'h',
      os: 'Debian',
      kernel: '6',
      architecture: 'x86-64',
      systemd: 252,
      sudo: 'root',
    },
    metadata: {},
  };
  etcd.etcdctl('put', `/cluster/machines/${M1}`, JSON.stringify(record));
  docker.run('c1', demo(1234));
  const { child, log, ended } = startCli(args, '/', env);
  await poll(() => value(SERVER), 10_000).toMatchObject({ URL: 'http://10.1.2.3:1234' });
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect(await servers()).toEqual([ONE]);
  expect(log()).toContain(`Announced ${ONE} (http://10.1.2.3:1234)`);
});
