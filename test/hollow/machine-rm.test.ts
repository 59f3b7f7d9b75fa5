import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { quorumOf } from '../../src/lib/control/machines/last-of-its-kind.ts';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { type Workplace, workplace } from '../support/cli.ts';
import { type EtcdServer, startEtcd } from '../support/etcd-server.ts';
import { workplaceWith } from '../support/hollow.ts';

const SERVICE = '[Service]\nExecStart=/bin/sleep infinity\n';
let home: Workplace;
let at: Workplace;
let lab: HollowLab;

beforeAll(async () => {
  home = await workplace();
  lab = await hollowUp({ machines: 2, stateDir: join(home.dir, 'lab'), name: 'leaving' });
  at = await workplaceWith(lab, { CLUSTER_SSH_TIMEOUT: '2s' });
  await at.file('a@.service', SERVICE);
});

afterAll(async () => {
  await lab.close();
  await at.remove();
  await home.remove();
});

test('a machine that leaves keeps nothing of ours, and its file is adopted when it comes again', async () => {
  await at.ok('start', 'a@<1..2>');
  const [first, other] = lab.simulations;
  const id = lab.machines[0]?.id ?? '';
  await at.ok('machine', 'rm', '--force', id);
  expect(first?.tree.list('/etc/cluster/units')).toEqual([]);
  expect(first?.tree.stat('/etc/systemd/system/cluster.target')).toBeNull();

  // As if the manifest had been lost: the file lies there, byte for byte ours.
  const text = other?.tree.text('/etc/systemd/system/a@1.service') ?? '';
  expect(text).toBe(SERVICE);
  await at.ok('destroy', 'a@*');
  first?.tree.write('/etc/systemd/system/a@1.service', Buffer.from(SERVICE));
  await at.ok('machine', 'add', `root@127.0.0.1:${lab.machines[0]?.port}`);
  await at.ok('machine', 'rm', '--force', lab.machines[1]?.id ?? '');
  await at.ok('start', 'a@1');
  expect(first?.systemd.peek('a@1.service')?.active).toBe('active');
});

test('quorum of etcd members', () => {
  expect([1, 2, 3, 4, 5].map(quorumOf)).toEqual([1, 2, 2, 3, 3]);
});
