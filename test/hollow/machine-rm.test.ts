import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { quorumOf } from '../../src/lib/control/etcd-members.ts';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { type Workplace, workplace } from '../support/cli.ts';
import { type EtcdCluster, startEtcdCluster } from '../support/etcd-cluster.ts';
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

test('a machine that was away while its unit moved says so when it is added again, and is rid of it', async () => {
  const [first, other] = lab.simulations;
  await at.ok('machine', 'add', `root@127.0.0.1:${lab.machines[1]?.port}`);
  await at.file('b.service', `${SERVICE}[X-Fleet]\nMachineMetadata=role=b\n`);
  for (const { id } of lab.machines) await at.ok('machine', 'set-metadata', id, 'role=b');
  await at.ok('start', 'b.service');
  const [was, is] = first?.systemd.peek('b.service')?.active === 'active' ? [first, other] : [other, first];
  await at.ok('connections', 'close');
  was!.faults.hang = true;
  const removed = await at.run('machine', 'rm', '--force', was!.id);
  expect(removed.stderr).toContain('did not answer: what cluster installed there stays, and runs on: ');
  expect(is?.systemd.peek('b.service')?.active).toBe('active');
  was!.faults.hang = false;
  expect(was?.systemd.peek('b.service')?.active).toBe('active');

  const port = lab.machines.find(({ id }) => id === was!.id)?.port;
  const added = await at.ok('machine', 'add', `root@127.0.0.1:${port}`);
  expect(added.stderr).toMatch(
    /still has .*b\.service.*, which belong elsewhere now: they are stopped and removed/,
  );
  expect(was?.systemd.peek('b.service')?.active ?? 'inactive').toBe('inactive');
  expect(is?.systemd.peek('b.service')?.active).toBe('active');
  await at.ok('destroy', 'a@1', 'b');
});

const OURS = ['/opt/cluster', '/etc/cluster/environment'];

test.each([true, false])('what machine install put on a machine: --keep-files is %s', async (isKept) => {
  const [first] = lab.simulations;
  first?.tree.write('/opt/cluster-1/release.json', Buffer.from('{}'));
  first?.tree.link('/opt/cluster', '/opt/cluster-1');
  first?.tree.write('/etc/cluster/environment', Buffer.from('CLUSTER_ENDPOINT=x\n'));
  await at.ok('machine', 'rm', '--force', ...(isKept ? ['--keep-files'] : []), lab.machines[0]?.id ?? '');
  for (const path of OURS) expect(first?.tree.stat(path) !== null, path).toBe(isKept);
  await at.ok('machine', 'add', `root@127.0.0.1:${lab.machines[0]?.port}`);
});

describe('what the cluster cannot do without', () => {
  let etcd: EtcdCluster;
  let there: Workplace;
  const [HERE, ELSEWHERE] = [0, 1].map((n) => () => lab.machines[n]?.id ?? '');
  const remove = () => there.run('machine', 'rm', '--force', HERE!());

  beforeAll(async () => {
    etcd = await startEtcdCluster(['127.0.0.1', '127.0.0.2', '127.0.0.3']);
    there = await workplaceWith(
      lab,
      { CLUSTER_ENDPOINT: etcd.endpoints.slice(0, 2).join(',') },
      '--take-over',
    );
    await there.ok('backend', 'upsert', '--id', 'b1');
    await there.ok('frontend', 'upsert', '--id', 'f1', '--backend', 'b1', '--route', 'Path("/")');
  }, 120_000);

  afterAll(async () => {
    etcd.thaw(2);
    await etcd.stop();
    await there.remove();
  });

  test('etcd keeps its quorum: a machine stays while another member does not answer', async () => {
    etcd.freeze(2);
    const ran = await remove();
    etcd.thaw(2);
    expect(ran).toMatchObject({ code: 1, stdout: '' });
    expect(ran.stderr).toMatch(
      /^Error: .*etcd runs on 127\.0\.0\.1: without it 1 of 3 members would be left, and 2 are needed\n {2}try: add a member/,
    );
    expect((await there.ok('list-machines', '--full')).stdout).toContain(HERE!());
  });

  test('the last gateway stays, however many of them are on one machine', async () => {
    const put = (machine: string, admin: string) =>
      etcd.etcdctl(
        0,
        'put',
        `/cluster/gateways/${machine}@${admin}`,
        JSON.stringify({ v: 1, machine, hostname: 'h', address: null, admin, version: '1', revision: 0 }),
      );
    for (const admin of ['127.0.0.1:1', '127.0.0.1:2']) {
      put(HERE!(), admin);
      const ran = await remove();
      expect(ran).toMatchObject({ code: 1, stdout: '' });
      expect(ran.stderr).toMatch(
        /^Error: .*the only gateway runs on 127\.0\.0\.1\n {2}try: start one on another/,
      );
    }
    put(ELSEWHERE!(), '127.0.0.1:1');
    const ran = await remove();
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.stderr).toMatch(
      /WARNING: etcd still counts its member m0 there: etcdctl member remove [0-9a-f]+/,
    );
  });
});

test('quorum of etcd members', () => {
  expect([1, 2, 3, 4, 5].map(quorumOf)).toEqual([1, 2, 2, 3, 3]);
});
