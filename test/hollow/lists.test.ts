import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { type Workplace, workplace } from '../support/cli.ts';
import { workplaceWith } from '../support/hollow.ts';

let home: Workplace;
let at: Workplace;
let lab: HollowLab;
let dead: string;

beforeAll(async () => {
  home = await workplace();
  lab = await hollowUp({ machines: 2, stateDir: join(home.dir, 'lab'), name: 'lists' });
  at = await workplaceWith(lab, { CLUSTER_SSH_TIMEOUT: '2s' });
  dead = lab.machines[1]!.id;
  for (const [at_, { id }] of lab.machines.entries())
    await at.file(`m${at_}@.service`, `[Service]\nExecStart=/bin/sleep 1d\n[X-Fleet]\nMachineID=${id}\n`);
  await at.file('g.service', '[Service]\nExecStart=/bin/sleep 1d\n[X-Fleet]\nGlobal=true\n');
  await at.ok('start', 'm0@<1..3>', 'm1@<1..3>', 'g.service');
  await at.ok('stop', 'm0@3');
}, 60_000);

afterAll(async () => {
  await lab.close();
  await at.remove();
  await home.remove();
});

const units = async (...args: string[]): Promise<string[]> => {
  const { stdout } = await at.ok('list-units', '--no-legend', '--fields', 'unit', ...args);
  return stdout.split('\n').filter(Boolean);
};

describe('lists of what answers', () => {
  test.each<[string[], string[]]>([
    [['m0@*'], ['m0@1.service', 'm0@2.service', 'm0@3.service']],
    [
      ['m0@<1..2>', 'm1@3'],
      ['m0@1.service', 'm0@2.service', 'm1@3.service'],
    ],
    [['m?@3', '--state', 'active'], ['m1@3.service']],
    [['--state', 'inactive,failed'], ['m0@3.service']],
  ])('list-units %j', async (args, wanted) => expect(await units(...args)).toEqual(wanted));

  test('list-units --machine asks that machine only', async () =>
    expect(await units('--machine', dead)).toEqual([
      'g.service',
      'm1@1.service',
      'm1@2.service',
      'm1@3.service',
    ]));

  test('ages and restarts are there when they are asked for', async () => {
    const { stdout } = await at.ok('ps', 'm0@1', '--fields', 'since,restarts', '--no-legend');
    expect(stdout).toMatch(/^\d+ (s|min) +0\n$/);
    const [row] = JSON.parse((await at.ok('list-units', 'm0@1', '--json')).stdout) as { since: number }[];
    expect(Math.abs(Date.now() - row!.since)).toBeLessThan(120_000);
  });

  test('a pipe gets what fleetctl prints, however narrow the terminal', async () => {
    const { stdout } = await at.ok('list-units', 'm0@1');
    expect(stdout).toMatch(
      /^UNIT +MACHINE +ACTIVE +SUB\nm0@1\.service +\w{8}\.\.\.\/127\.0\.0\.1 +active +running\n$/,
    );
    expect((await at.ok('machine', 'ls')).stdout).toMatch(/^MACHINE +IP +METADATA\n/);
  });
});

describe('a machine that is away', () => {
  beforeAll(async () => lab.servers[1]!.close());

  test('is listed as such', async () => {
    const { stdout } = await at.ok(
      'list-machines',
      '--fields',
      'machine,state,units',
      '--full',
      '--no-legend',
    );
    expect(stdout).toMatch(new RegExp(`^${dead} +away +4$`, 'm'));
    expect(stdout).toMatch(/ up +4$/m);
  });

  test.each([
    'list-units',
    'list-units m1@1 --fields unit,since',
    'status m1@1',
    'journal m1@1',
    'journal m1@1 m0@1',
    'start --no-block m1@4',
    'restart m1@1',
    'restart --rolling g.service',
    'load m1@1',
    'stop m1@2',
    'unload m1@3',
    'destroy --dry-run m1@1',
    'reconcile',
    'reconcile --dry-run',
    'plan',
    'cat --render m1@1',
    `ssh ${'DEAD'} true`,
    'machine install DEAD',
    'machine rm DEAD --force',
  ])('%s names it in one way, with one hint', async (line) => {
    const ran = await at.run(...line.split(' ').map((word) => (word === 'DEAD' ? dead : word)));
    const port = lab.machines[1]!.port;
    expect(ran.stderr).toContain(
      `machine ${dead.slice(0, 8)}.../127.0.0.1 cannot be reached: connection refused`,
    );
    expect(ran.stderr).toContain(
      `  try: check that it is up and that sshd listens on port ${port}, as in: ssh`,
    );
    expect(ran.code).toBe(/^plan|^machine rm/.test(line) ? 1 : 4);
  });
});
