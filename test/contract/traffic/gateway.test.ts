import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Running, type Workplace, workplace } from '../../support/cli.ts';
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts';
import { freePort } from '../../support/port.ts';
import { type Backend, backend, get } from '../gateway/support/process.ts';

let etcd: EtcdServer;
let at: Workplace;
let gateway: Running;
let port: number;
const servers: Backend[] = [];

/** A small server that answers with its name. */
async function serve(name: string): Promise<string> {
  const server = await backend(name);
  servers.push(server);
  return `http://127.0.0.1:${server.port}`;
}

const ask = async (): Promise<string> => (await get(port, 'demo.test')).body;

beforeAll(async () => {
  etcd = await startEtcd();
  at = await workplace({
    CLUSTER_ENDPOINT: etcd.endpoint,
    PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
  });
  port = await freePort();
  for (const version of ['v1.0', 'v2.0']) {
    const backend = ['-b', `demo-${version}`];
    await at.run('backend', 'upsert', '-id', `demo-${version}`);
    await at.run('server', 'upsert', ...backend, '-id', 's', '-url', await serve(version));
  }
  const args = ['gateway', '--listen', `127.0.0.1:${port}`, '--admin', `127.0.0.1:${await freePort()}`];
  args.push('--run-dir', join(at.dir, 'run'), '--state-dir', join(at.dir, 'state'));
  gateway = at.start(...args);
});

afterAll(async () => {
  gateway.child.kill('SIGTERM');
  await gateway.ended;
  for (const server of servers) server.close();
  await at.remove();
  await etcd.stop();
});

test('when a switch returns, a real gateway serves it', async () => {
  const known = () => etcd.etcdctl('get', '--prefix', '/cluster/gateways/');
  await expect.poll(known, { timeout: 30_000, interval: 50 }).toContain('"revision"');
  const made = await at.run(
    'frontend',
    'upsert',
    '-id',
    'demo.test',
    '-b',
    'v1.0',
    '-route',
    'Host("demo.test")',
  );
  expect(made).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^served by 1 gateway after \d+ ms$/m),
  });
  expect(await ask()).toBe('v1.0');
  for (const [verb, version] of [
    ['upsert -b v2.0', 'v2.0'],
    ['rollback', 'v1.0'],
    ['rollback', 'v2.0'],
  ]) {
    const ran = await at.run('frontend', ...(verb ?? '').split(' '));
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('served by 1 gateway after') });
    expect(await ask()).toBe(version);
  }
});

test('top shows what it served', async () => {
  const top = async () => JSON.parse((await at.run('top', '--refresh', '0', '--json')).stdout);
  await expect
    .poll(top, { timeout: 10_000, interval: 200 })
    .toMatchObject({ frontends: [{ object: { Id: 'demo.test' }, figures: { requests: 4 } }] });
  const ran = await at.run('top', '-b', 'demo-v1.0', '-refresh', '0');
  expect(ran.stdout).toMatch(/^\n\[Frontend\]\nId {5}Route {5}R\/sec.*\n\n\[Servers\]\n.*\ns {5}\s*http:/);
});

test('the first listener closes what gateways listened on: that is said', async () => {
  const listener = (id: string) =>
    at.run('listener', 'upsert', '-id', id, '-addr', `127.0.0.1:${port}`, '-proto', 'http');
  expect((await listener('one')).stderr).toMatch(/^WARNING: this is the first listener/);
  expect((await listener('one')).stderr).toBe('');
  await at.run('listener', 'rm', '-id', 'one');
});
