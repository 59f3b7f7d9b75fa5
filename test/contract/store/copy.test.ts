import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Workplace, workplace } from '../../support/cli.ts';
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts';

let etcd: EtcdServer;
let at: Workplace;

beforeAll(async () => {
  etcd = await startEtcd();
  at = await workplace();
  for (let n = 1; n <= 120; n++) await at.file(`u${n}.service`, `[Service]\nExecStart=/bin/sleep ${n}\n`);
});

afterAll(async () => {
  await at.remove();
  await etcd.stop();
});

test('an embedded registry is copied to etcd, whole, once', async () => {
  const names = Array.from({ length: 120 }, (_, i) => `u${i + 1}.service`);
  expect((await at.run('submit', ...names)).code).toBe(0);
  const before = await at.run('list-unit-files', '--json');
  const copy = await at.run('registry', 'copy', '--to', etcd.endpoint);
  expect(copy).toMatchObject({ code: 0, stderr: '' });
  expect(copy.stdout).toMatch(/^3\d\d keys copied to http:/);
  expect((await at.run('list-unit-files', '--json', '--endpoint', etcd.endpoint)).stdout).toBe(before.stdout);
  const again = await at.run('registry', 'copy', '--to', etcd.endpoint);
  expect(again.code).toBe(6);
  expect(again.stderr).toMatch(/has a registry already: \/cluster\/.*\n {2}try: /);
});

test('the old registry says where it went and changes nothing, until it is reopened', async () => {
  const before = await at.run('list-unit-files', '--json');
  expect(before.code).toBe(0);
  expect(before.stderr).toContain(`this registry was copied to ${etcd.endpoint}`);
  for (const args of [
    ['submit', 'u1.service', '--replace'],
    ['destroy', 'u1.service'],
    ['reconcile'],
    ['host', 'upsert', '--name', 'a.example'],
    ['registry', 'copy', '--to', 'http://127.0.0.1:1'],
  ])
    expect(await at.run(...args), args.join(' ')).toMatchObject({
      code: args[0] === 'registry' ? 5 : 6,
    });
  expect((await at.run('list-unit-files', '--json')).stdout).toBe(before.stdout);
  expect((await at.run('registry', 'reopen')).code).toBe(0);
  expect(await at.run('list-unit-files', '--json')).toMatchObject({ stdout: before.stdout, stderr: '' });
  expect((await at.run('destroy', 'u120.service')).code).toBe(0);
});

test('an etcd that is away is said to be, and nothing is lost', async () => {
  const copy = await at.run('registry', 'copy', '--to', 'http://127.0.0.1:1', '--request-timeout', '500ms');
  expect(copy.code).toBe(5);
  expect((await at.run('list-unit-files', '--no-legend')).stdout.split('\n')).toHaveLength(120);
});
