import { expect, test } from 'vitest';
import type { Workplace } from '../support/cli.ts';
import { withLab } from '../support/lab.ts';

let at: Workplace;
let ids: string[];

withLab('rebalance', ['--hollow', '3'], async (made) => {
  at = made;
  const list = JSON.parse((await at.ok('list-machines', '--json')).stdout) as { id: string }[];
  ids = list.map(({ id }) => id);
  const [a, b, c] = ids.map(String);
  await at.ok('machine', 'set-metadata', String(a), 'zone=a');
  await at.ok('machine', 'set-metadata', String(b), 'zone=a');
  await at.ok('machine', 'set-metadata', String(c), 'zone=a');
});

const SERVICE = '[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\n';

/** Where each unit is placed, by unit. */
async function places(): Promise<Record<string, string>> {
  const { stdout } = await at.ok('list-units', '--json');
  const units = JSON.parse(stdout) as { unit: string; machine: { id: string } }[];
  return Object.fromEntries(units.map(({ unit, machine }) => [unit, machine.id]));
}

test('plan shows the first three machines; the card shows what they have', async () => {
  await at.file('web@.service', `${SERVICE}Spread=zone\nMemory=500M\n`);
  const { stdout } = await at.run('plan', 'web@1.service');
  expect(stdout).toMatch(/web@1\.service +\S+ +spread zone 0, taken 0\.271, units 0/);
  const { placements } = JSON.parse((await at.run('plan', '--json', 'web@1.service')).stdout);
  expect(placements[0].scores).toHaveLength(3);
  expect((await at.ok('machine', 'show', String(ids[0]))).stdout).toContain('2.0 GB of memory, 2 CPUs');
});

test('nothing moves for a soft rule until rebalance moves it, elsewhere first', async () => {
  await at.ok('start', 'web@<1..3>.service');
  await at.ok('machine', 'set-metadata', String(ids[2]), 'zone=b');
  await at.ok('machine', 'set-metadata', String(ids[1]), 'zone=c');
  await at.ok('destroy', 'web@*');
  await at.ok('machine', 'set-metadata', String(ids[1]), 'zone=a');
  await at.ok('start', 'web@<1..2>.service');
  const before = await places();
  const on = Object.values(before);
  // Both zones have one each; now they are one zone, and the third machine is the other one.
  for (const id of ids) await at.ok('machine', 'set-metadata', id, `zone=${on.includes(id) ? 'a' : 'b'}`);
  expect(await places()).toEqual(before);

  const dry = await at.run('rebalance', '--dry-run');
  expect(dry.code).toBe(2);
  expect(dry.stdout).toContain('spread zone 0 instead of 1');
  expect(await places()).toEqual(before);
  const { moves } = JSON.parse((await at.run('rebalance', '--dry-run', '--json')).stdout);
  expect(moves).toHaveLength(1);

  const real = await at.ok('rebalance');
  const [{ unit, to }] = moves;
  expect(real.stdout.indexOf(`Unit ${unit} launched on`)).toBeLessThan(
    real.stdout.indexOf(`Unit ${unit} moved from`),
  );
  expect(await places()).toEqual({ ...before, [unit]: to });
  expect((await at.ok('rebalance', '--dry-run')).stdout).toBe('Nothing to do.\n');
  expect((await at.ok('reconcile')).stdout).toBe('Nothing to do.\n');
  await at.ok('destroy', 'web@*');
});

test('a refusal says how much is needed and how much is left', async () => {
  await at.file('big@.service', `${SERVICE}Memory=1G\n`);
  const ran = await at.run('start', 'big@<1..4>.service');
  expect(ran.code).toBe(1);
  expect(ran.stderr).toContain('memory: needs 1 GB, this machine has 819 MB of 1.8 GB left');
  await at.ok('destroy', 'big@*');
});

test.each([
  ['Memory=4GB', 'Memory=4GB is not a size above 0'],
  ['Memory=0', 'Memory=0 is not a size above 0'],
  ['Cpu=-1', 'Cpu=-1 is not a number of CPUs above 0'],
  ['Ports=80-70', 'Ports=80-70 is not a port or a range of ports from 1 to 65535'],
  ['Spread=zone=a', 'Spread=zone=a is not the name of a metadata key'],
  ['Prefer=zone', 'Prefer=zone is not one key=value of metadata'],
  ['MaxPerMachine=0', 'MaxPerMachine=0 is not a whole number from 1'],
])('%s is refused with file and line, and nothing is changed', async (text, message) => {
  const path = await at.file('bad.service', `${SERVICE}${text}\n`);
  for (const verb of ['verify', 'start']) {
    const ran = await at.run(verb, path);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain(`bad.service:4: ${message}`);
  }
  expect((await at.ok('list-unit-files')).stdout).not.toContain('bad.service');
});

test('verify warns of what no machine can give', async () => {
  const path = await at.file('odd.service', `${SERVICE}Memory=4G\nPrefer=color=blue\nMaxPerMachine=1\n`);
  const { stderr } = await at.ok('verify', path);
  expect(stderr).toContain('Memory=4 GB is more than any machine has for units');
  expect(stderr).toContain('Prefer names color=blue, which no machine has');
  expect(stderr).toContain(':6: MaxPerMachine has no effect');
});
