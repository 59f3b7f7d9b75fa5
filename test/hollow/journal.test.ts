import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { type Workplace, workplace } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { workplaceWith } from '../support/hollow.ts';

let home: Workplace;
let at: Workplace;
let lab: HollowLab;

beforeAll(async () => {
  home = await workplace();
  lab = await hollowUp({ machines: 2, stateDir: join(home.dir, 'lab'), name: 'journal' });
  at = await workplaceWith(lab);
  await at.file('g.service', '[Service]\nExecStart=/bin/sleep 1d\n[X-Fleet]\nGlobal=true\n');
  await at.ok('start', 'g.service');
  // Turn by turn on both machines; every fourth is an error.
  for (let n = 0; n < 12; n++) {
    const line = { unit: 'g.service', invocation: '', identifier: 'g', pid: 7, message: `line ${n}` };
    lab.simulations[n % 2]?.journal.add({ ...line, priority: n % 4 === 3 ? 3 : 6 });
    await sleep(5);
  }
}, 60_000);

afterAll(async () => {
  await lab.close();
  await at.remove();
  await home.remove();
});

const numbers = (text: string): number[] => [...text.matchAll(/line (\d+)/g)].map(([, n]) => Number(n));
const ALL = Array.from({ length: 12 }, (_, n) => n);

test('the last lines of several machines come in order of time, with --follow too, however slow one of them is', async () => {
  expect(numbers((await at.ok('journal', '-n', '6', 'g')).stdout)).toEqual(ALL);
  lab.simulations[1]!.faults.slowMs = 150;
  const running = at.start('journal', '--follow', '-n', '6', 'g');
  await eventually('all are told', () => numbers(running.log()).length >= ALL.length, 20_000);
  lab.simulations[1]!.faults.slowMs = 0;
  running.child.kill('SIGINT');
  await running.ended;
  expect(numbers(running.log())).toEqual(ALL);
});

test('--priority and --since choose lines; a duration means so long ago, and then there is no limit of lines', async () => {
  expect(numbers((await at.ok('journal', '-p', 'err', 'g')).stdout)).toEqual([3, 7, 11]);
  expect(numbers((await at.ok('journal', '--since', '1h', 'g')).stdout)).toEqual(ALL);
  expect(numbers((await at.ok('journal', '--since', '2999-01-01', 'g')).stdout)).toEqual([]);
  const bad = await at.run('journal', '--since', 'nonsense', 'g');
  expect(bad.code).toBe(1);
  expect(bad.stderr).toMatch(
    /^Error: 127\.0\.0\.1: journalctl: Failed to parse timestamp.*\n {2}try: check --since/,
  );
});

test('--output json is the JSON of journalctl for each entry, of however many units; cat is the text alone', async () => {
  const { stdout } = await at.ok('journal', '--output', 'json', '-n', '6', 'g');
  const entries = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, string>);
  expect(entries.map(({ MESSAGE }) => MESSAGE)).toEqual(ALL.map((n) => `line ${n}`));
  expect(new Set(entries.map(({ _MACHINE_ID }) => _MACHINE_ID)).size).toBe(2);
  expect((await at.ok('journal', '-o', 'cat', '-n', '1', 'g')).stdout).toBe('line 10\nline 11\n');
  const bad = await at.run('journal', '-o', 'verbose', 'g');
  expect(bad).toMatchObject({ code: 1, stdout: '' });
  expect(bad.stderr).toMatch(
    /--output verbose is for one unit on one machine.*\n {2}try: .*short, json, cat/,
  );
});
