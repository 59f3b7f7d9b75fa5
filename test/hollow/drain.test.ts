import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import type { Workplace } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { workplaceWith } from '../support/hollow.ts';

let dir: string;
let lab: HollowLab;
let at: Workplace;
let first: string;

const SERVICE = '[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\n';
const QUICK = ['--min-healthy', '200ms'];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cluster-drain-'));
  lab = await hollowUp({ machines: 3, stateDir: dir, name: 'drain' });
  at = await workplaceWith(lab);
  first = lab.machines[0]!.id;
  await at.file('web@.service', SERVICE);
  await at.file('side.service', `${SERVICE}MachineOf=web@1.service\n`);
  await at.file('g.service', `${SERVICE}Global=true\n`);
  await at.file('idle.service', SERVICE);
  await at.file('db.service', `${SERVICE}MachineID=${first}\n`);
});

afterEach(async () => {
  await lab.close();
  await at.remove();
  await rm(dir, { recursive: true, force: true });
});

/** Everything comes to the first machine, as the others are cordoned meanwhile. */
async function crowd(...extra: readonly string[]): Promise<void> {
  const [, ...others] = lab.machines;
  for (const { id } of others) await at.ok('machine', 'cordon', id);
  await at.ok('start', '--min-healthy', '0', 'web@<1..4>.service', 'side.service', ...extra);
  await at.ok('load', 'idle.service');
  for (const { id } of others) await at.ok('machine', 'uncordon', id);
  await at.ok('start', '--min-healthy', '0', 'g.service');
}

const unitsOn = (index: number): string[] =>
  lab.simulations[index]!.systemd.loaded()
    .filter(({ name, active }) => active === 'active' && /^(web@\d|side|g|db)\.service/.test(name))
    .map(({ name }) => name)
    .sort();
const filesOn = (index: number): string[] => lab.simulations[index]!.tree.list('/etc/cluster/units');
const everywhere = (): string[] => [0, 1, 2].flatMap(unitsOn).sort();
const ALL = [
  'g.service',
  'g.service',
  'side.service',
  'web@1.service',
  'web@2.service',
  'web@3.service',
  'web@4.service',
];

interface Listed {
  readonly id: string;
  readonly cordons: Record<string, { readonly reason?: string }>;
}
const cordons = async (): Promise<Record<string, string | undefined>> => {
  const rows = JSON.parse((await at.ok('list-machines', '--json')).stdout) as Listed[];
  const entries = Object.entries(rows.find(({ id }) => id === first)?.cordons ?? {});
  return Object.fromEntries(entries.map(([owner, { reason }]) => [owner, reason]));
};

test('a machine with seven units of three kinds is emptied, said before and shown after, and takes units again', async () => {
  await crowd();
  const planned = await at.ok('machine', 'drain', '--dry-run', first);
  expect(planned.stdout.match(/goes to \w{8}/g)).toHaveLength(6);
  expect(planned.stdout).toMatch(/g\.service\s+\S+\s+stops/);
  expect(planned.stdout).toContain('side.service goes together with web@1.service');
  expect(await cordons()).toEqual({});
  expect(unitsOn(0)).toHaveLength(6);

  const ran = await at.ok('machine', 'drain', ...QUICK, first);
  expect(ran.stdout).toContain('Rollout 1 done: 7 of 7 units have left');
  expect(ran.stdout.indexOf('g.service has left')).toBeGreaterThan(ran.stdout.lastIndexOf('moved from'));
  expect(filesOn(0)).toEqual([]);
  expect(unitsOn(0)).toEqual([]);
  expect(everywhere()).toEqual(ALL);
  expect(await cordons()).toEqual({ 'rollout/1': 'drain' });
  expect((await at.ok('machine', 'show', first)).stdout).toMatch(/cordoned by\s+rollout\/1: drain/);

  // It is a drained machine for every other command.
  await at.ok('start', '--min-healthy', '0', 'web@5.service');
  expect(unitsOn(0)).toEqual([]);
  expect((await at.ok('plan')).stdout).toContain('Nothing to do');
  const again = await at.ok('machine', 'drain', first);
  expect(again.stdout).toContain('is drained already');
  await at.ok('machine', 'uncordon', first);
  expect(unitsOn(0)).toEqual(['g.service']);
});

test('elsewhere first: the new copy runs, and has for a while, before the old one stops', async () => {
  await crowd();
  const running = at.start('machine', 'drain', '--min-healthy', '1s', first);
  await eventually('it has begun', () => running.log().includes('is leaving'));
  await eventually(
    'the new copy runs',
    () => everywhere().filter((unit) => unit === 'web@1.service').length === 2,
  );
  await sleep(500);
  expect(unitsOn(0)).toContain('web@1.service');
  expect(await running.ended).toBe(0);
  expect(everywhere()).toEqual(ALL);
});

test('a driver that is killed at any moment leaves a drain that another one brings to its end', async () => {
  await crowd();
  for (const [round, wait] of [20, 400, 1_500].entries()) {
    const running = at.start('machine', 'drain', '--min-healthy', '400ms', first);
    await eventually('it has begun', () => running.log().includes('begins'));
    await sleep(wait);
    running.child.kill('SIGKILL');
    await running.ended;
    const held = await at.run('machine', 'uncordon', first);
    expect(held.code, `${wait}: ${held.stderr}`).not.toBe(0);
    const ran = await at.run('rollout', 'resume');
    expect(ran, `killed after ${wait} ms: ${ran.stderr}`).toMatchObject({ code: 0 });
    expect(filesOn(0), `killed after ${wait} ms`).toEqual([]);
    expect(everywhere()).toEqual(ALL);
    expect(await cordons()).toEqual({ [`rollout/${round + 1}`]: 'drain' });
    // Back where they were, for the next round.
    await at.ok('machine', 'uncordon', first);
    await at.ok('destroy', '--yes', 'web@*', 'side.service', 'idle.service', 'g.service');
    await crowd();
  }
}, 240_000);

test('a unit that no other machine can have is named with the rules before anything; --force stops it until one can', async () => {
  await crowd('db.service');
  const refused = await at.run('machine', 'drain', first);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(
    /Error: unit db\.service cannot leave \w{8}\.\.\.\/127\.0\.0\.1: .*\(machine-id: .*\), .*\(machine-id: /,
  );
  expect(refused.stderr).toContain('try: --force stops what cannot go elsewhere; nothing was changed');
  expect(await cordons()).toEqual({});
  expect(unitsOn(0)).toHaveLength(7);

  const planned = await at.ok('machine', 'drain', '--force', '--dry-run', first);
  expect(planned.stdout).toContain('db.service is stopped until a machine can have it');
  const ran = await at.ok('machine', 'drain', '--force', ...QUICK, first);
  expect(ran.stderr).toContain('db.service is stopped: no other machine can have it');
  expect(unitsOn(0)).toEqual([]);
  expect(everywhere()).toEqual(ALL);
  await at.ok('machine', 'uncordon', first);
  expect(unitsOn(0)).toEqual(['db.service', 'g.service']);
});

test('what does not become healthy elsewhere stays where it was, and the drain halts', async () => {
  await crowd();
  await at.file(
    'sick.service',
    "[Service]\nExecStart=/bin/sh -c 'echo no licence here; sleep 0.2; exit 3'\n",
  );
  const [, ...others] = lab.machines;
  for (const { id } of others) await at.ok('machine', 'cordon', id);
  // It runs on the first machine alone: what a file of that machine makes of it is simulated by a drop-in.
  lab.simulations[0]!.tree.write(
    '/etc/systemd/system/sick.service.d/licence.conf',
    Buffer.from('[Service]\nExecStart=\nExecStart=/bin/sleep infinity\n'),
  );
  await at.ok('start', '--min-healthy', '0', 'sick.service');
  for (const { id } of others) await at.ok('machine', 'uncordon', id);

  const ran = await at.run('machine', 'drain', '--min-healthy', '1s', first);
  expect(ran.code).toBe(1);
  expect(ran.stderr).toMatch(
    /rollout 1 is halted: sick\.service on \w{8} .* on 127\.0\.0\.1; it stays where it was/,
  );
  expect(ran.stderr).toContain('try: cluster rollout resume 1 tries again, cluster rollout abort 1 ends it');
  expect(ran.stdout).toContain('  | no licence here');
  expect(lab.simulations[0]!.systemd.load('sick.service').active).toBe('active');
  expect([1, 2].map((index) => filesOn(index).includes('sick.service'))).toEqual([false, false]);
  expect((await at.run('reconcile', '--dry-run')).code).toBe(0);

  const held = await at.run('machine', 'uncordon', first);
  expect(held).toMatchObject({ code: 6 });
  expect(held.stderr).toMatch(/is cordoned by rollout 1 of \S+@\S+ \(halted\); nothing was changed/);
  await at.ok('rollout', 'abort');
  await at.ok('machine', 'uncordon', first);
  expect(await cordons()).toEqual({});
});

test('a unit has left only when no process of it is left, and a deadline is a deadline', async () => {
  await crowd();
  lab.simulations[0]!.outliving.set('web@2.service', 2);
  const ran = await at.run('machine', 'drain', '--min-healthy', '0', '--deadline', '1500ms', first);
  expect(ran.code).toBe(1);
  expect(ran.stderr).toContain(
    'was not healthy within 1.5 s: has left 2 processes behind on the machine that it leaves',
  );
  expect(unitsOn(0)).not.toContain('web@2.service');
  lab.simulations[0]!.outliving.clear();
  await at.ok('rollout', 'resume');
  expect(everywhere()).toEqual(ALL);
});

test('two drains at once, a unit that comes meanwhile, pause and abort', async () => {
  await crowd();
  const running = at.start('machine', 'drain', '--min-healthy', '700ms', first);
  await eventually('it has begun', () => running.log().includes('is leaving'));
  const other = await at.run('machine', 'drain', ...QUICK, first);
  expect(other).toMatchObject({ code: 6 });
  expect(other.stderr).toMatch(/belongs to rollout 1 of .*; nothing was changed/);
  const rolling = await at.run('restart', '--rolling', ...QUICK, 'web@4.service');
  expect(rolling).toMatchObject({ code: 6 });
  await at.ok('rollout', 'pause');
  expect(await running.ended).toBe(0);
  await at.ok('rollout', 'abort');
  expect(Object.keys(await cordons())).toEqual(['rollout/1']);
  await at.ok('machine', 'drain', ...QUICK, first);
  expect(filesOn(0)).toEqual([]);
  await at.ok('machine', 'uncordon', first);
  expect(await cordons()).toEqual({});
});

test('machine rm drains by itself, says so before, and --force does not', async () => {
  await crowd();
  const planned = await at.ok('machine', 'rm', '--dry-run', first);
  expect(planned.stdout.match(/goes to \w{8}/g)).toHaveLength(6);
  expect(planned.stdout).toContain('g.service is stopped there in the end');
  expect(planned.stdout).toContain('Machine 127.0.0.1 would be removed');
  const ran = await at.ok('machine', 'rm', ...QUICK, first);
  expect(ran.stdout).toContain('Rollout 1 done: 6 of 6 units have left');
  expect(ran.stdout).toContain('Removed machine');
  expect(filesOn(0)).toEqual([]);
  expect(unitsOn(0)).toEqual([]);
  expect(everywhere()).toEqual(ALL);
  const second = await at.ok('machine', 'rm', '--force', lab.machines[1]!.id);
  expect(second.stdout).not.toContain('Rollout');
  expect(unitsOn(2)).toHaveLength(6);

  const last = lab.machines[2]!.id;
  const refused = await at.run('machine', 'drain', last);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/idle\.service cannot leave \S+: there is no other machine \(6 units: /);
  expect(unitsOn(2)).toHaveLength(6);
});

test('machine rm of one that has units and does not answer is refused, with what to try', async () => {
  await crowd();
  lab.simulations[0]!.faults.refuseAuth = true;
  lab.simulations[0]!.faults.dropAfter = 0;
  const ran = await at.run('machine', 'rm', first, '--ssh-timeout', '2s', '--ssh-persist', '0');
  expect(ran).toMatchObject({ code: 4 });
  expect(ran.stderr).toContain('machine rm --force');
  expect(ran.stderr).toContain('nothing was changed');
});

test.each([
  [['machine', 'cordon', 'nowhere'], 1, 'no machine nowhere'],
  [['machine', 'drain', 'nowhere'], 1, 'no machine nowhere'],
  [['machine', 'uncordon', 'nowhere'], 1, 'no machine nowhere'],
  [['machine', 'drain', 'FIRST', '--max-unavailable', '0'], 64, 'lets no unit be changed at all'],
  [['machine', 'drain', 'FIRST', '--deadline', '0'], 64, '--deadline 0 is not between'],
  [['machine', 'uncordon', 'FIRST'], 1, 'is not cordoned; nothing was changed'],
] as const)('%j is refused in one line', async (args, code, message) => {
  const ran = await at.run(...args.map((word) => (word === 'FIRST' ? first : word)));
  expect(ran.code).toBe(code);
  expect(ran.stderr.split('\n').filter((line) => line.startsWith('Error:'))).toHaveLength(1);
  expect(ran.stderr).toContain(message);
});

test('a cordon keeps new units away and global ones in place, with its reason; a second one says so', async () => {
  await at.ok('start', '--min-healthy', '0', 'g.service');
  await at.ok('machine', 'cordon', '--reason', 'new disks', first);
  await at.file('new.service', `${SERVICE}MachineID=${first}\n`);
  const ran = await at.run('start', '--or-forget', 'new.service');
  expect(ran.stderr).toContain('the machine is cordoned by operator (new disks) and takes no new units');
  await at.file('later.service', `${SERVICE}Global=true\n`);
  await at.ok('start', '--min-healthy', '0', 'later.service');
  expect(filesOn(0)).toEqual(['g.service']);
  const again = await at.ok('machine', 'cordon', first);
  expect(again.stdout).toContain('is cordoned already: new disks');
  await at.ok('machine', 'add', `root@127.0.0.1:${lab.machines[0]!.port}`);
  expect(await cordons()).toEqual({ operator: 'new disks' });
  await at.ok('machine', 'uncordon', first);
  expect(filesOn(0)).toEqual(['g.service', 'later.service']);
});
