import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import ssh2, { type ParsedKey } from 'ssh2';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { serveMachine } from '../../src/lib/lab/hollow/server.ts';
import { type Workplace, workplace } from '../support/cli.ts';
import { workplaceWith } from '../support/hollow.ts';

const SERVICE = '[Service]\nExecStart=/bin/sleep infinity\n';
let home: Workplace;
let at: Workplace;
let lab: HollowLab;
let ids: string[];
const again: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  home = await workplace();
  lab = await hollowUp({ machines: 3, stateDir: join(home.dir, 'lab'), name: 'away' });
  ids = lab.machines.map(({ id }) => id).sort();
  at = await workplaceWith(lab, { CLUSTER_SSH_TIMEOUT: '2s' });
  for (const name of ['n1', 'n2', 'n3', 'late']) await at.file(`${name}.service`, SERVICE);
  await at.file('g.service', `${SERVICE}[X-Fleet]\nGlobal=true\n`);
  await at.file('pinned.service', `${SERVICE}[X-Fleet]\nMachineID=${ids[0]}\n`);
});

afterAll(async () => {
  await lab.close();
  await Promise.all(again.map((server) => server.close()));
  await at.remove();
  await home.remove();
});

// Each test finds the first machine by id, the one that is chosen first, switched off.
beforeEach(async () => {
  await at.run('destroy', '*');
  await lab.servers[first()]?.close();
  await Promise.all(again.splice(0).map((server) => server.close()));
});

const first = (): number => lab.machines.findIndex(({ id }) => id === ids[0]);

/** Switches the first machine on again, at its port and with its key. */
async function switchOn(): Promise<void> {
  const key = async (name: string): Promise<ParsedKey> => {
    const parsed = ssh2.utils.parseKey(await readFile(join(home.dir, 'lab', name)));
    if (parsed instanceof Error) throw parsed;
    return parsed;
  };
  const machine = lab.simulations[first()];
  const port = lab.machines[first()]?.port ?? 0;
  if (machine === undefined) throw new Error('no such machine');
  machine.reboot();
  const [hostKey, authorised] = await Promise.all([key('host_ed25519'), key('id_ed25519')]);
  again.push(await serveMachine({ machine, hostKey, authorised, port }));
}

interface Placed {
  readonly unit: string;
  readonly machine: string | { readonly id: string } | null;
}

async function placements(...args: string[]): Promise<Record<string, string | undefined>> {
  const { stdout } = await at.run(...args, '--json');
  const parsed = JSON.parse(stdout) as Placed[] | { placements: Placed[] };
  const rows = Array.isArray(parsed) ? parsed : parsed.placements;
  return Object.fromEntries(
    rows.map(({ unit, machine }) => [unit, typeof machine === 'string' ? machine : machine?.id]),
  );
}

test('start makes the placement that plan shows, beside a machine that is away, and exits 0', async () => {
  const units = ['n1.service', 'n2.service', 'n3.service'];
  const planned = await at.run('plan', ...units);
  expect(planned.code).toBe(2);
  const shown = await placements('plan', ...units);
  expect(shown).toEqual({ 'n1.service': ids[1], 'n2.service': ids[2], 'n3.service': ids[1] });

  const started = await at.run('start', ...units);
  expect(started.code).toBe(0);
  const warning = `WARNING: machine ${ids[0]?.slice(0, 8)}.../127.0.0.1 cannot be reached`;
  for (const { stderr } of [planned, started]) {
    expect(stderr.split('\n').filter((line) => line.startsWith(warning))).toHaveLength(1);
    expect(stderr).toMatch(/^ {2}try: check that it is up/m);
    expect(stderr).not.toContain('Error:');
  }
  expect(await placements('list-units')).toEqual(shown);
  expect(await at.run('plan', ...units)).toEqual({ code: 0, stdout: 'Nothing to do.\n', stderr: '' });
});

test('a machine that no new unit would come to is not asked', async () => {
  await at.ok('start', 'n1.service');
  const ran = await at.run('start', 'n1.service');
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  const stopped = await at.run('stop', 'n1.service');
  expect(stopped.stderr).not.toContain('cannot be reached');
  expect(stopped.code).toBe(0);
});

test('a unit that is placed on a machine that is away stays placed there: exit 4', async () => {
  await switchOn();
  await at.ok('start', 'n1.service');
  expect(await placements('plan', 'n1.service')).toEqual({ 'n1.service': ids[0] });
  await again.pop()?.close();

  for (const verb of ['start', 'stop']) {
    const ran = await at.run(verb, 'n1.service');
    expect(ran.code).toBe(4);
    expect(ran.stderr).toMatch(/^Error: .*cannot be reached.*\(n1\.service\)$/m);
  }
  const planned = await at.run('plan', 'n1.service');
  expect(planned).toMatchObject({ code: 1, stdout: 'Nothing to do on the machines that answer.\n' });
  expect(await placements('list-units')).toEqual({ 'n1.service': ids[0] });
  await switchOn();
});

test('what only a machine that is away could have is refused with that reason, and comes when it is back', async () => {
  const ran = await at.run('start', 'pinned.service', 'n1.service');
  expect(ran.code).toBe(4);
  expect(ran.stderr).toMatch(/unreachable: the machine cannot be reached/);
  expect(ran.stdout).toContain('Unit n1.service launched');
  expect((await at.run('plan', 'pinned.service')).stderr).toContain('cannot be reached');

  await switchOn();
  await at.ok('reconcile');
  expect((await placements('list-units'))['pinned.service']).toBe(ids[0]);
});

test('no machine answers: what is wanted is recorded, and placed as soon as one is back', async () => {
  await at.ok('machine', 'rm', ids[1] ?? '');
  await at.ok('machine', 'rm', ids[2] ?? '');
  const ran = await at.run('start', 'late.service');
  expect(ran.code).toBe(4);
  await switchOn();
  expect((await at.ok('reconcile')).stdout).toContain('Unit late.service launched');
  const others = lab.machines.filter(({ id }) => id !== ids[0]);
  await at.ok('machine', 'add', ...others.map(({ port }) => `root@127.0.0.1:${port}`));
});

test('plan and reconcile --dry-run give the same reasons for the same steps', async () => {
  expect((await at.run('start', 'g.service')).code).toBe(4);
  await switchOn();
  const planned = await at.run('plan');
  expect(planned).toMatchObject({ code: 2, stderr: '' });
  expect(planned.stdout).toMatch(/start +g\.service +global unit$/m);
  expect(await at.run('reconcile', '--dry-run')).toEqual(planned);
  await at.ok('reconcile');
  expect((await at.run('plan')).stdout).toBe('Nothing to do.\n');
});

test('machines that are away are looked past a bounded number of times, each asked once', async () => {
  const many = await hollowUp({ machines: 8, stateDir: join(home.dir, 'many'), name: 'many' });
  const place = await workplaceWith(many);
  try {
    await place.file('one.service', SERVICE);
    const order = many.machines.map(({ id }) => id).sort();
    const up = many.machines.findIndex(({ id }) => id === order[7]);
    await Promise.all(many.servers.map((server, index) => (index === up ? undefined : server.close())));

    const ran = await place.run('start', 'one.service');
    expect(ran.code).toBe(4);
    const named = [...ran.stderr.matchAll(/^(WARNING|Error): machine (\w+)\.\.\./gm)].map((line) =>
      line.slice(1),
    );
    const short = order.map((id) => id.slice(0, 8));
    expect(named.sort()).toEqual(
      [...short.slice(0, 5).map((id) => ['WARNING', id]), ['Error', short[5]]].sort(),
    );
    expect(JSON.parse((await place.run('list-units', '--json')).stdout)).toMatchObject([
      { unit: 'one.service', machine: { id: order[5] }, active: 'unreachable' },
    ]);
  } finally {
    await many.close();
    await place.remove();
  }
});
