import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import ssh2, { type ParsedKey } from 'ssh2';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { serveMachine } from '../../src/lib/lab/hollow/server.ts';
import { type Workplace, workplace } from '../support/cli.ts';
import { workplaceWith } from '../support/hollow.ts';

const SERVICE = '[Service]\nExecStart=/bin/sleep infinity\n';
const UNITS = [1, 2, 3, 4, 5, 6].map((n) => `many@${n}.service`);
let home: Workplace;
let at: Workplace;
let lab: HollowLab;
let back: { close(): Promise<void> } | undefined;

beforeAll(async () => {
  home = await workplace();
  lab = await hollowUp({ machines: 3, stateDir: join(home.dir, 'lab'), name: 'taken' });
  at = await workplaceWith(lab, { CLUSTER_SSH_TIMEOUT: '2s' });
  await at.file('many@.service', SERVICE);
  await at.file('g.service', `${SERVICE}[X-Fleet]\nGlobal=true\nMachineMetadata=role=web\n`);
  for (const { id } of lab.machines) await at.ok('machine', 'set-metadata', id, 'role=web');
});

afterAll(async () => {
  await lab.close();
  await back?.close();
  await at.remove();
  await home.remove();
});

beforeEach(async () => {
  await at.run('destroy', '*');
  await at.ok('start', 'many@<1..6>', 'g.service');
});

async function away(): Promise<void> {
  await lab.servers[0]?.close();
  await back?.close();
  back = undefined;
}

async function isBack(): Promise<void> {
  const read = async (name: string): Promise<ParsedKey> => {
    const key = ssh2.utils.parseKey(await readFile(join(home.dir, 'lab', name)));
    if (key instanceof Error) throw key;
    return key;
  };
  const [machine, target] = [lab.simulations[0], lab.machines[0]];
  if (machine === undefined || target === undefined) throw new Error('no machine');
  // A server that is closed is a machine that is switched off.
  machine.reboot();
  const keys = { hostKey: await read('host_ed25519'), authorised: await read('id_ed25519') };
  back = await serveMachine({ machine, port: target.port, ...keys });
}

const onFirst = (): string[] => lab.simulations[0]?.tree.list('/etc/cluster/units').sort() ?? [];
const running = (unit: string): boolean[] =>
  lab.simulations.map(({ systemd }) => systemd.peek(unit)?.active === 'active');

async function json(...args: string[]): Promise<Record<string, unknown>[]> {
  return JSON.parse((await at.run(...args, '--json')).stdout) as Record<string, unknown>[];
}

/** One reconcile finishes it, a second one has nothing to do. */
async function finish(): Promise<void> {
  await isBack();
  await at.ok('reconcile');
  expect((await at.ok('reconcile')).stdout).toBe('Nothing to do.\n');
  expect((await json('list-unit-files')).filter((row) => 'leaving' in row)).toEqual([]);
}

test('destroy with one machine away: the others are done, and reconcile finishes it', async () => {
  const there = onFirst().filter((name) => name !== 'g.service');
  await away();
  const ran = await at.run('destroy', 'many@<1..6>');
  expect(ran.code).toBe(4);
  expect(ran.stdout.match(/^Destroyed /gm)).toHaveLength(6 - there.length);
  for (const unit of there) expect(ran.stderr).toContain(`${unit} may still be on`);
  const files = (await json('list-unit-files')).filter(
    ({ unit }) => unit !== 'g.service' && unit !== 'many@.service',
  );
  expect(files.map(({ unit }) => unit)).toEqual(there);
  const listed = (await json('list-units')).filter(({ unit }) => unit !== 'g.service');
  expect(listed).toEqual(
    there.map((unit) => expect.objectContaining({ unit, active: 'unreachable', leaving: true })),
  );
  await finish();
  expect(onFirst()).toEqual(['g.service']);
  for (const unit of UNITS) expect(running(unit)).toEqual([false, false, false]);
});

test('a destroyed unit that is started anew while its clean-up is pending runs once', async () => {
  const [unit = ''] = onFirst().filter((name) => name !== 'g.service');
  await away();
  await at.run('destroy', unit);
  await at.run('start', unit);
  await finish();
  expect(running(unit).filter(Boolean)).toHaveLength(1);
});

test('a destroyed unit can be destroyed again, and is forgotten once its machine is back', async () => {
  const [unit = ''] = onFirst().filter((name) => name !== 'g.service');
  await away();
  await at.run('destroy', unit);
  await isBack();
  expect((await at.ok('destroy', unit)).stdout).toBe(`Destroyed ${unit}\n`);
  expect(running(unit)).toEqual([false, false, false]);
});

test.each(['stop', 'unload'])('%s with one machine away is finished by reconcile', async (verb) => {
  await away();
  expect((await at.run(verb, 'many@<1..6>')).code).toBe(4);
  await finish();
  for (const unit of UNITS) expect(running(unit)).toEqual([false, false, false]);
});

test('a global unit is taken off a machine that is away, and destroyed everywhere, by reconcile', async () => {
  await away();
  const id = lab.machines[0]?.id ?? '';
  expect((await at.run('machine', 'set-metadata', id, 'role=db')).code).toBe(4);
  const row = (await json('list-units')).find(
    ({ unit, leaving }) => unit === 'g.service' && leaving === true,
  );
  expect(row).toMatchObject({ machine: { id } });
  await finish();
  expect(running('g.service')).toEqual([false, true, true]);
  await at.ok('machine', 'set-metadata', id, 'role=web');
  await away();
  expect((await at.run('destroy', 'g.service')).code).toBe(4);
  await finish();
  expect(running('g.service')).toEqual([false, false, false]);
});
