import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Running, type Workplace, workplace } from '../../support/cli.ts';
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts';
import { keyFiles } from '../../support/key-files.ts';
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

const FALLBACK = '{"Type":"response","Action":{"StatusCode":503,"Body":"later"}}';

test('every command that changes something waits for the gateway, and says what it did in JSON', async () => {
  const { cert, key } = keyFiles(at.dir, 'a.test');
  const seal = (await at.run('secret', 'new_key')).stdout;
  const pair = ['--cert', cert, '--private-key', key, '--seal-key', seal];
  const spare = await freePort();
  const limit = ['-f', 'demo.test', '--id', 'm'];
  const commands: readonly (readonly string[])[] = [
    ['backend', 'upsert', '--id', 'b'],
    ['server', 'upsert', '-b', 'b', '--id', 's', '--url', 'http://127.0.0.1:1'],
    ['connlimit', 'upsert', ...limit, '--connections', '9'],
    ['connlimit', 'rm', ...limit],
    ['ratelimit', 'upsert', ...limit, '--requests', '9'],
    ['ratelimit', 'rm', ...limit],
    ['rewrite', 'upsert', ...limit, '--regexp', '^/a$', '--replacement', '/b'],
    ['rewrite', 'rm', ...limit],
    ['cbreaker', 'upsert', ...limit, '--condition', 'NetworkErrorRatio() > 0.5', '--fallback', FALLBACK],
    ['cbreaker', 'rm', ...limit],
    ['trace', 'upsert', ...limit, '--addr', 'syslog://127.0.0.1:5514'],
    ['trace', 'rm', ...limit],
    ['host', 'upsert', '--name', 'a.test', ...pair],
    ['host', 'rm', 'a.test'],
    ['listener', 'upsert', '--id', 'l', '--addr', `127.0.0.1:${spare}`, '--proto', 'http'],
    ['listener', 'rm', 'l'],
    ['frontend', 'upsert', '--id', 'f', '-b', 'b', '--route', 'Host("f.test")'],
    ['frontend', 'rm', 'f'],
    ['server', 'rm', '-b', 'b', 's'],
    ['backend', 'rm', 'b'],
  ];
  for (const [index, command] of commands.entries()) {
    if (index % 2 === 0) {
      const { stdout } = await at.run(...command);
      expect.soft(stdout, command.join(' ')).toMatch(/^OK: .*\n(?:.*\n)*served by 1 gateway after \d+ ms\n$/);
      continue;
    }
    const { stdout } = await at.run(...command, '--json');
    expect.soft(JSON.parse(stdout), command.join(' ')).toMatchObject({
      kind: command[0],
      action: command[1] === 'rm' ? 'removed' : 'upserted',
      changed: true,
      revision: expect.any(Number),
      served: { gateways: 1, ms: expect.any(Number) },
      notes: expect.any(Array),
    });
  }
});

test("an operator's frontend goes before a registrator's for the same host, and one with servers before one without", async () => {
  const marked = (id: string, host: string, backend: string) => {
    const route = `Host("${host}") && PathRegexp(".*")`;
    const value = { Type: 'http', BackendId: backend, Route: route, Registrator: true };
    etcd.etcdctl('put', `/vulcand/frontends/${id}/frontend`, JSON.stringify(value));
  };
  marked('aaa', 'demo.test', 'demo-v1.0');
  marked('bbb', 'c.test', 'empty');
  marked('ccc', 'c.test', 'demo-v1.0');
  expect((await at.run('backend', 'upsert', '--id', 'empty')).stdout).toContain('served by 1 gateway');
  expect(await ask()).toBe('v2.0');
  expect((await get(port, 'c.test')).body).toBe('v1.0');
  const said = 'frontend aaa: it gets no request: all of demo.test goes to frontend demo.test';
  expect((await at.run('gateway', 'status')).stdout).toContain(said);
  expect((await at.run('frontend', 'ls')).stderr).toContain(said);
  expect((await at.run('frontend', 'show', 'aaa')).stderr).toContain(said);
  const match = await at.run('frontend', 'match', 'http://demo.test/');
  expect(match.stdout).toContain("before aaa by being an operator's");
  await at.run('server', 'upsert', '-b', 'empty', '--id', 's', '--url', await serve('late'));
  await at.run('server', 'rm', '-b', 'demo-v1.0', 's');
  expect((await get(port, 'c.test')).body).toBe('late');
});

test('what was so already, or was not there, is not waited for', async () => {
  expect((await at.run('backend', 'rm', 'nothing')).stdout).toBe('OK: backend deleted\n');
  await at.run('backend', 'upsert', '--id', 'same');
  const same = await at.run('backend', 'upsert', '--id', 'same', '--json');
  expect(JSON.parse(same.stdout)).toMatchObject({ Id: 'same', changed: false, served: null });
  expect((await at.run('backend', 'rm', 'same', '--no-wait')).stdout).toBe('OK: backend deleted\n');
});

test('a bad time to wait changes nothing', async () => {
  const ran = await at.run('backend', 'upsert', '--id', 'never', '--wait-timeout', 'soon');
  expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining('--wait-timeout "soon"') });
  expect((await at.run('backend', 'ls')).stdout).not.toContain('never');
});

test('two gateways on one machine are both waited for and shown', async () => {
  const admin = `127.0.0.1:${await freePort()}`;
  const args = ['gateway', '--listen', `127.0.0.1:${await freePort()}`, '--admin', admin];
  args.push('--run-dir', join(at.dir, 'run2'), '--state-dir', join(at.dir, 'state2'));
  const second = at.start(...args);
  const records = () => etcd.etcdctl('get', '--prefix', '--keys-only', '/cluster/gateways/');
  await expect.poll(records, { timeout: 30_000, interval: 50 }).toContain(admin);
  expect((await at.run('backend', 'upsert', '--id', 'two')).stdout).toContain('served by 2 gateways');
  const { stdout } = await at.run('gateway', 'status');
  expect(stdout.match(/\(127\.0\.0\.1:\d+\) +serving/g)).toHaveLength(2);
  second.child.kill('SIGSTOP');
  const late = await at.run('backend', 'rm', 'two', '--wait-timeout', '3s');
  expect(late).toMatchObject({ code: 1, stdout: 'OK: backend deleted\n' });
  expect(late.stderr).toMatch(/1 of 2 gateways do not serve it yet: .*change stands/s);
  second.child.kill('SIGCONT');
  second.child.kill('SIGTERM');
  await second.ended;
});
