import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Workplace } from '../support/cli.ts';
import { withLab } from '../support/lab.ts';

const ROUNDS = 50;
let at: Workplace;

withLab('kill', ['--hollow', '3'], async (made) => {
  at = made;
  await at.file('k@.service', '[Service]\nExecStart=/bin/sleep infinity\n');
  await at.file('g.service', '[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\nGlobal=true\n');
});

/** Runs a command and kills it at that moment, if it still runs then. */
async function killed(args: readonly string[], afterMs: number): Promise<void> {
  const { child, ended } = at.start(...args);
  await Promise.race([ended, sleep(afterMs)]);
  child.kill('SIGKILL');
  await ended;
}

test(`kill -9 at ${ROUNDS} random moments leaves nothing that the next command does not put right`, async () => {
  const verbs = [
    ['start', 'k@<1..6>.service'],
    ['stop', 'k@*'],
    ['start', 'g.service'],
    ['unload', 'k@*'],
    ['destroy', 'k@*'],
    ['load', 'k@<1..6>.service'],
    ['destroy', 'g.service'],
  ];
  const story: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const verb = verbs[Math.floor(Math.random() * verbs.length)] ?? [];
    const afterMs = Math.round(80 + Math.random() * 400);
    story.push(`${verb.join(' ')}, killed after ${afterMs} ms`);
    await killed(verb, afterMs);
  }

  const put = await at.run('reconcile');
  expect(put.stderr, story.join('\n')).toBe('');
  expect(put.code).toBe(0);
  expect((await at.run('reconcile', '--dry-run')).stdout, story.join('\n')).toBe('Nothing to do.\n');
  const files = JSON.parse((await at.run('list-unit-files', '--json')).stdout) as {
    unit: string;
    dstate: string;
    global: boolean;
  }[];
  const units = JSON.parse((await at.run('list-units', '--json')).stdout) as {
    unit: string;
    active: string;
  }[];
  for (const { unit, dstate, global } of files) {
    const seen = units.filter((row) => row.unit === unit);
    expect(seen).toHaveLength(dstate === 'inactive' ? 0 : global ? 3 : 1);
    for (const row of seen) expect(row.active, unit).toBe(dstate === 'launched' ? 'active' : 'inactive');
  }
}, 180_000);

test('operators at the same moment: all of different units come to be, and rules hold between them', async () => {
  await at.run('destroy', 'k@*');
  await at.file('c@.service', '[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\nConflicts=c@*.service\n');
  const all = await Promise.all([1, 2, 3].map((n) => at.run('start', `c@${n}.service`)));
  expect(all.map(({ code, stderr }) => ({ code, stderr }))).toEqual(Array(3).fill({ code: 0, stderr: '' }));
  const { stdout } = await at.run('list-units', '--json');
  const where = (JSON.parse(stdout) as { unit: string; machine: { id: string } }[]).filter(({ unit }) =>
    unit.startsWith('c@'),
  );
  expect(new Set(where.map(({ machine }) => machine.id)).size).toBe(3);
});
