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
  expect(copy.stdout).toMatch(/^241 keys copied to http:/);
  expect((await at.run('list-unit-files', '--json', '--endpoint', etcd.endpoint)).stdout).toBe(before.stdout);
  const again = await at.run('registry', 'copy', '--to', etcd.endpoint);
  expect(again.code).toBe(6);
  expect(again.stderr).toMatch(/has a registry already: \/cluster\/.*\n {2}try: /);
});

test('an etcd that is away is said to be, and nothing is lost', async () => {
  const copy = await at.run('registry', 'copy', '--to', 'http://127.0.0.1:1', '--request-timeout', '500ms');
  expect(copy.code).toBe(5);
  expect((await at.run('list-unit-files', '--no-legend')).stdout.split('\n')).toHaveLength(121);
});
