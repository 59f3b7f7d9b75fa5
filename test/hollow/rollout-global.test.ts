import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import type { Workplace } from '../support/cli.ts';
import { workplaceWith } from '../support/hollow.ts';

let dir: string;
let lab: HollowLab;
let at: Workplace;

const UNIT = 'agent.service';
const WELL = 'ExecStart=/bin/sleep infinity';
const BAD = "ExecStart=/bin/sh -c 'echo no database; sleep 0.3; exit 3'";
const version = (name: string, service = WELL, rules = '') =>
  at.file(UNIT, `[Unit]\nDescription=${name}\n[Service]\n${service}\n[X-Fleet]\nGlobal=true\n${rules}\n`);

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cluster-rollout-'));
  lab = await hollowUp({ machines: 4, stateDir: dir, name: 'globals' });
  at = await workplaceWith(lab);
  await at.ok('machine', 'rm', lab.machines[3]!.id);
  await version('one');
  await at.ok('start', '--min-healthy', '0', UNIT);
});

afterEach(async () => {
  await lab.close();
  await at.remove();
  await rm(dir, { recursive: true, force: true });
});

/** Which file each machine has, sorted. */
const installed = (): string[] =>
  lab.simulations
    .flatMap((machine) => {
      const text = machine.tree.read(`/etc/systemd/system/${UNIT}`)?.toString();
      return text === undefined ? [] : [/Description=(\w+)/.exec(text)?.[1] ?? ''];
    })
    .sort();
const roll = (...flags: string[]) =>
  at.run(
    'start',
    '--replace',
    ...(flags.includes('--min-healthy') ? [] : ['--min-healthy', '200ms']),
    ...flags,
    UNIT,
  );
/** Hashes that list-units shows. */
const listed = async (): Promise<number> => {
  const rows = JSON.parse((await at.ok('list-units', '--json')).stdout) as { hash: string }[];
  return new Set(rows.map(({ hash }) => hash)).size;
};

test("a global unit's new file goes to one machine after another, and then is the unit's", async () => {
  await version('two');
  const plan = await at.ok('start', '--replace', '--dry-run', UNIT);
  expect(plan.stdout.match(/^\d/gm)).toEqual(['1', '2', '3']);
  const ran = await roll();
  expect(ran.stderr).toBe('');
  expect(ran.stdout.match(/^\[batch \d\] agent\.service .* is healthy/gm)).toHaveLength(3);
  expect(ran.stdout).toContain('3 of 3 units healthy');
  expect(installed()).toEqual(['two', 'two', 'two']);
  expect((await at.ok('cat', UNIT)).stdout).toContain('Description=two');
  expect((await roll()).stdout).not.toContain('Rollout');
  await at.ok('machine', 'add', `root@127.0.0.1:${lab.machines[3]!.port}`);
  await at.ok('reconcile');
  expect(installed()).toEqual(['two', 'two', 'two', 'two']);
});

test('a sick one takes one machine and halts; nothing else brings it further or back, until somebody does', async () => {
  await version('two', BAD);
  const ran = await roll('--min-healthy', '2s');
  expect(ran.code).toBe(1);
  expect(ran.stdout).toContain('no database');
  expect(ran.stderr).toMatch(/rollout 1 is halted: agent\.service on [0-9a-f]{8} is failed/);
  expect(installed()).toEqual(['one', 'one', 'two']);
  expect(await listed()).toBe(2);
  // A machine that joins meanwhile gets the former file, and each keeps the one that it has.
  await at.ok('machine', 'add', `root@127.0.0.1:${lab.machines[3]!.port}`);
  await at.run('reconcile');
  await at.run('restart', UNIT);
  expect(installed()).toEqual(['one', 'one', 'one', 'two']);
  await at.ok('rollout', 'rollback');
  expect(installed()).toEqual(['one', 'one', 'one', 'one']);
  expect(await listed()).toBe(1);
  expect((await at.ok('reconcile', '--dry-run')).stdout).toContain('Nothing to do');
});

test('a mended file goes on from there, also by --all-at-once', async () => {
  await version('two', BAD);
  expect((await roll('--min-healthy', '1s')).code).toBe(1);
  await version('three');
  expect((await roll('--max-unavailable', '2')).stdout).toContain('3 of 3 units healthy');
  expect(installed()).toEqual(['three', 'three', 'three']);
  await version('four', BAD);
  expect((await roll('--min-healthy', '1s')).code).toBe(1);
  expect(installed()).toEqual(['four', 'three', 'three']);
  await version('three');
  await at.ok('rollout', 'abort');
  await at.ok('start', '--replace', '--all-at-once', '--min-healthy', '0', UNIT);
  expect(installed()).toEqual(['three', 'three', 'three']);
  expect(await listed()).toBe(1);
});

test('machines that only the new file allows get it with the last of the others', async () => {
  const [one, two, three] = lab.machines.map(({ id }) => id);
  for (const id of [one, two]) await at.ok('machine', 'set-metadata', id!, 'pool=a');
  await at.ok('machine', 'set-metadata', three!, 'pool=b');
  await version('one', WELL, 'MachineMetadata=pool=a');
  await at.ok('start', '--replace', '--all-at-once', '--min-healthy', '0', UNIT);
  expect(installed()).toEqual(['one', 'one']);
  await version('two', WELL, 'MachineMetadata=pool=a\nMachineMetadata=pool=b');
  expect((await roll()).stdout).toContain('2 of 2 units healthy');
  expect(installed()).toEqual(['two', 'two', 'two']);
});

test('with units of other kinds in one rollout', async () => {
  await at.file('web@.service', `[Unit]\nDescription=web\n[Service]\n${WELL}\n`);
  await at.ok('start', '--min-healthy', '0', 'web@<1..2>.service');
  await at.file('web@.service', `[Unit]\nDescription=new\n[Service]\n${WELL}\n`);
  await version('two');
  const ran = await at.ok(
    'start',
    '--replace',
    '--min-healthy',
    '0',
    '--max-unavailable',
    '5',
    UNIT,
    'web@<1..2>.service',
  );
  expect(ran.stdout).toMatch(/Rollout 1 done: (5|6) of (5|6) units healthy/);
  expect(installed()).toEqual(['two', 'two', 'two']);
});
