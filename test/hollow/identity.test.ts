import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { type Workplace, workplace } from '../support/cli.ts';
import { workplaceWith } from '../support/hollow.ts';

let home: Workplace;
let lab: HollowLab;
let at: Workplace;

const use = (store: string): void => {
  at.env.CLUSTER_DATA_DIR = join(at.dir, store);
};
const keep = (as: string): Promise<void> => cp(join(at.dir, 'store'), join(at.dir, as), { recursive: true });
const targets = () => lab.machines.map(({ port }) => `root@127.0.0.1:${port}`);
const add = (...more: string[]) => at.run('machine', 'add', ...targets(), ...more);
const installed = () => lab.simulations[0]?.tree.list('/etc/cluster/units');

beforeEach(async () => {
  home = await workplace();
  lab = await hollowUp({ machines: 1, stateDir: join(home.dir, 'lab'), name: 'identity' });
  at = await workplaceWith(lab, { CLUSTER_SSH_PERSIST: '0' });
  await at.file('w@.service', '[Service]\nExecStart=/bin/sleep 1\n');
  await at.ok('start', 'w@1', 'w@2');
});

afterEach(async () => {
  await lab.close();
  await at.remove();
  await home.remove();
});

test('an older copy of the registry changes nothing on a machine that has seen more', async () => {
  await keep('old');
  await at.ok('start', 'w@3');
  use('old');
  for (const args of [['reconcile'], ['stop', 'w@1'], ['start', 'w@4'], ['restart', 'w@1']]) {
    const ran = await at.run(...args);
    expect(ran, args.join(' ')).toMatchObject({ code: 6 });
    expect(ran.stderr).toMatch(/has seen change \d+ of its registry/);
  }
  expect(installed()).toEqual(['w@1.service', 'w@2.service', 'w@3.service']);
});

test('a copy that was changed on its own is refused although it counts further', async () => {
  await keep('old');
  await at.ok('start', 'w@3');
  use('old');
  for (const n of [5, 6, 7]) await at.ok('submit', `w@${n}`);
  const ran = await at.run('reconcile');
  expect(ran).toMatchObject({ code: 6 });
  expect(ran.stderr).toContain('which this one does not have: it was changed as a copy');
  expect(installed()).toHaveLength(3);
});

test('a machine of another cluster is refused, taken over on request, and then refused to the first', async () => {
  use('other');
  expect(await add()).toMatchObject({ code: 4 });
  expect((await add('--take-over')).code).toBe(0);
  const kept = await at.run('reconcile');
  expect(kept).toMatchObject({ code: 1 });
  expect(kept.stderr).toContain('no record of: w@1.service w@2.service; left as it is');
  expect(installed()).toHaveLength(2);
  use('store');
  expect(await at.run('stop', 'w@1')).toMatchObject({ code: 4 });
  use('other');
  const yes = await at.ok('reconcile', '--yes');
  expect(yes.stdout).toMatch(/^Removing w@1\.service on .*: this registry has no record of it$/m);
  expect(installed()).toEqual([]);
});

test('a key prefix of its own is a cluster of its own', async () => {
  expect((await add('--etcd-key-prefix', '/second')).stderr).toContain('belongs to cluster');
});

test('a machine without an id is adopted in silence; one that lost it is spoken of', async () => {
  const tree = lab.simulations[0]!.tree;
  tree.remove('/etc/cluster/cluster');
  const ran = await at.ok('reconcile');
  expect(ran.stderr).toContain("does not carry this cluster's id any more");
  expect(tree.text('/etc/cluster/cluster')).toMatch(/^[0-9a-f]{32} \d+ [0-9a-f]{6}\n$/);
  expect((await at.ok('reconcile')).stderr).toBe('');
});

test('a machine that left the cluster may join another one', async () => {
  await at.ok('destroy', 'w@*');
  await at.ok('machine', 'rm', '127.0.0.1');
  use('other');
  expect((await add()).code).toBe(0);
});

test('a machine that is taken back gets the units that wait for one at once', async () => {
  use('other');
  await add('--take-over');
  use('store');
  const removed = await at.run('machine', 'rm', '--force', '127.0.0.1');
  expect(removed.stderr).toContain('is no machine of this registry any more: nothing was changed there');
  const { stdout, stderr } = await at.ok('machine', 'add', '--take-over', ...targets());
  expect(stderr).toBe('');
  for (const unit of ['w@1.service', 'w@2.service']) expect(stdout).toContain(`Unit ${unit} launched on`);
});
