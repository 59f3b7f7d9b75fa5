import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
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

const WELL = 'ExecStart=/bin/sleep infinity';
const version = (name: string, service = WELL, rules = '') =>
  at.file('web@.service', `[Unit]\nDescription=${name}\n[Service]\n${service}\n[X-Fleet]\n${rules}\n`);
const FIVE = 'web@<1..5>.service';

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cluster-rollout-'));
  lab = await hollowUp({ machines: 3, stateDir: dir, name: 'rollout' });
  at = await workplaceWith(lab);
  await version('one');
  await at.ok('start', '--min-healthy', '0', FIVE);
});

afterEach(async () => {
  await lab.close();
  await at.remove();
  await rm(dir, { recursive: true, force: true });
});

interface Shown {
  readonly state: string;
  readonly reason?: string;
  readonly items: readonly { readonly unit: string; readonly state: string }[];
}

const shown = async (id?: string): Promise<Shown> =>
  JSON.parse((await at.ok('rollout', 'show', '--json', ...(id === undefined ? [] : [id]))).stdout) as Shown;
const states = ({ items }: Shown): string => items.map(({ state }) => state).join(' ');
/** Which file each unit has on its machine, in order of the units. */
function installed(): string[] {
  const found = new Map<string, string>();
  for (const machine of lab.simulations)
    for (const path of machine.tree.list('/etc/systemd/system')) {
      const unit = path.split('/').at(-1)!;
      const text =
        machine.tree.read(path.startsWith('/') ? path : `/etc/systemd/system/${path}`)?.toString() ?? '';
      if (/^web@\d/.test(unit)) found.set(unit, /Description=(\w+)/.exec(text)?.[1] ?? '');
    }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, name]) => name);
}

test('a new file goes to one unit after another, and --dry-run says so', async () => {
  await version('two');
  const plan = await at.ok(
    'start',
    '--replace',
    '--dry-run',
    '--max-unavailable',
    '40%',
    '--canary',
    '1',
    FIVE,
  );
  expect(plan.stdout.match(/^\d/gm)).toEqual(['1', '2', '2', '3', '3']);
  expect(installed()).toEqual(Array(5).fill('one'));
  const ran = await at.ok('start', '--replace', '--min-healthy', '200ms', FIVE);
  expect(ran.stdout.match(/web@\d\.service .* is healthy/g)).toHaveLength(5);
  expect(ran.stdout).toMatch(/Rollout 1 done: 5 of 5 units healthy, in [\d.]+ s/);
  expect(installed()).toEqual(Array(5).fill('two'));
  const again = await at.ok('start', '--replace', FIVE);
  expect(again.stdout).not.toContain('Rollout');
  const listed = JSON.parse((await at.ok('rollout', 'ls', '--json')).stdout) as Shown[];
  expect(listed).toHaveLength(1);
});

test('a unit that is named alone is changed alone; others keep their file, and plan says so', async () => {
  await version('two');
  await at.ok('start', '--replace', '--min-healthy', '0', 'web@3.service');
  expect(installed()).toEqual(['one', 'one', 'two', 'one', 'one']);
  const files = await at.ok('list-unit-files', '--fields', 'unit,hash', '--no-legend');
  expect(
    new Set(
      files.stdout
        .trim()
        .split('\n')
        .map((line) => line.split(/\s+/)[1]),
    ).size,
  ).toBe(2);
  expect((await at.run('plan', '--json')).stdout).toContain(
    'instances of web@.service have 2 different files',
  );
});

test('a version that is sick takes one unit, halts with its journal, and is brought back by one command', async () => {
  await version('bad', "ExecStart=/bin/sh -c 'echo no database; sleep 0.3; exit 3'");
  const ran = await at.run('start', '--replace', '--min-healthy', '2s', FIVE);
  expect(ran.code).toBe(1);
  expect(ran.stdout).toContain('  | no database');
  expect(ran.stderr).toContain('Error: rollout 1 is halted: web@1.service is failed');
  expect(ran.stderr).toContain('try: cluster rollout rollback 1');
  expect(installed()).toEqual(['bad', 'one', 'one', 'one', 'one']);
  await at.ok('rollout', 'rollback');
  expect(installed()).toEqual(Array(5).fill('one'));
  expect((await shown()).state).toBe('rolled-back');
});

test('one that is sick on the third only halts there, and --auto-rollback brings all three back', async () => {
  for (const unit of [1, 2, 4, 5])
    await at.file(`web@${unit}.service`, `[Unit]\nDescription=third\n[Service]\n${WELL}\n`);
  await at.file(
    'web@3.service',
    "[Unit]\nDescription=third\n[Service]\nExecStart=/bin/sh -c 'sleep 0.1; exit 1'\n",
  );
  const ran = await at.run('start', '--replace', '--min-healthy', '500ms', FIVE);
  expect(ran.stderr).toContain('rollout 1 is halted: web@3.service is failed');
  expect(installed()).toEqual(['third', 'third', 'third', 'one', 'one']);
  const retried = await at.run('rollout', 'resume');
  expect(retried.stderr).toContain('rollout 1 is halted: web@3.service');
  await at.ok('rollout', 'rollback');
  expect(installed()).toEqual(Array(5).fill('one'));
  const back = await at.run('start', '--replace', '--min-healthy', '500ms', '--auto-rollback', FIVE);
  expect(back.code).toBe(1);
  expect(back.stderr).toContain('Error: rollout 2 went back: web@3.service');
  expect(back.stdout).toMatch(/web@3\.service .* failed after/);
  expect(installed()).toEqual(Array(5).fill('one'));
});

test('one that is healthy at first and dies later, while others are changed, halts too', async () => {
  await version('late', "ExecStart=/bin/sh -c 'sleep 3; exit 1'");
  const ran = await at.run('start', '--replace', '--min-healthy', '1500ms', FIVE);
  expect(ran.stderr).toMatch(/rollout 1 is halted: web@1\.service is failed after it had been healthy/);
  expect(installed().filter((name) => name === 'late').length).toBeLessThanOrEqual(3);
});

test('a health check is asked on the machine: 500 halts, 200 goes on; nobody listening is no health', async () => {
  let status = 500;
  const server = createServer((_, answer) => answer.writeHead(status).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await version('two', WELL, `HealthCheck=http://127.0.0.1:${port}/health`);
  const flags = ['--replace', '--min-healthy', '300ms', '--deadline', '2s'];
  const ran = await at.run('start', ...flags, FIVE);
  expect(ran.stderr).toContain('web@1.service was not healthy within 2 s: health check answers 500');
  expect(installed()).toEqual(['two', 'one', 'one', 'one', 'one']);
  status = 200;
  await at.ok('rollout', 'resume');
  expect(installed()).toEqual(Array(5).fill('two'));
  await new Promise((resolve) => server.close(resolve));
  await version('three', WELL, `HealthCheck=http://127.0.0.1:${port}/health?3`);
  const refused = await at.run('start', ...flags, FIVE);
  expect(refused.stderr).toContain('web@1.service was not healthy within 2 s: health check');
});

test.each([
  ['HealthCheck=ftp://127.0.0.1/x', 'scheme "ftp" is not known'],
  ['HealthCheck=curl localhost', 'neither an http URL nor a command with an absolute path'],
])('%s is refused before anything is changed', async (rule, message) => {
  await version('two', WELL, rule);
  const ran = await at.run('start', '--replace', FIVE);
  expect(ran.code).toBe(1);
  expect(ran.stderr).toContain(message);
  expect(installed()).toEqual(Array(5).fill('one'));
});

test('a canary pauses, is shown, and resume goes on', async () => {
  await version('two');
  const ran = await at.ok('start', '--replace', '--min-healthy', '0', '--canary', '1', '--pause', FIVE);
  expect(ran.stdout).toContain('Rollout 1 paused: the canary is healthy');
  expect(installed()).toEqual(['two', 'one', 'one', 'one', 'one']);
  const other = await at.run('start', '--replace', '--min-healthy', '0', '--max-unavailable', '5', FIVE);
  expect(other.code).toBe(6);
  expect(other.stderr).toMatch(
    /unit web@1\.service belongs to rollout 1 of \S+@\S+ \(paused\); nothing was changed/,
  );
  await at.ok('rollout', 'resume', '1');
  expect(installed()).toEqual(Array(5).fill('two'));
});

test('a second rollout of the same units is refused with the name of the first, or waits for it', async () => {
  await version('two');
  const first = at.start('start', '--replace', '--min-healthy', '700ms', FIVE);
  await eventually('the first has begun', () => first.log().includes('Rollout 1'));
  await version('three');
  const refused = await at.run('start', '--replace', '--min-healthy', '0', FIVE);
  expect(refused).toMatchObject({ code: 6 });
  const waiting = at.start('start', '--replace', '--min-healthy', '0', '--wait-for-others', FIVE);
  expect(await first.ended).toBe(0);
  const ran = await waiting.ran;
  expect(ran).toMatchObject({ code: 0 });
  expect(ran.stderr).toContain('waiting for rollout 1 of');
  expect(installed()).toEqual(Array(5).fill('three'));
});

test('pause and abort are heard by the driver of another terminal', async () => {
  await version('two');
  const first = at.start('start', '--replace', '--min-healthy', '2s', FIVE);
  await eventually('one is changed', () => first.log().includes('is changed and watched'));
  await at.ok('rollout', 'pause');
  expect(await first.ended).toBe(0);
  expect(states(await shown())).toMatch(/^(healthy )+waiting/);
  await at.ok('rollout', 'abort');
  expect((await shown()).state).toBe('aborted');
  const late = await at.run('rollout', 'resume');
  expect(late).toMatchObject({ code: 1 });
  expect(late.stderr).toContain('rollout 1 is aborted: there is nothing to resume; nothing was changed');
});

test('restart --rolling restarts one after another, and halts at the first that does not come back', async () => {
  const ran = await at.ok('restart', '--rolling', '--min-healthy', '100ms', 'web@*');
  expect(ran.stdout.match(/is being changed/g)).toHaveLength(5);
  expect(ran.stdout).toContain('Rollout 1 done');
  const refused = await at.run('rollout', 'rollback');
  expect(refused.stderr).toContain(
    'rollout 1 is a restart: it has no former file to go back to; nothing was changed',
  );
});

test.each([
  [
    ['start', '--replace', '--max-unavailable', '0', FIVE],
    64,
    '--max-unavailable 0 lets no unit be changed at all',
  ],
  [['start', '--replace', '--pause', FIVE], 64, '--pause pauses after the canary, and there is none'],
  [['start', '--replace', '--deadline', '0', FIVE], 64, '--deadline 0 is not between'],
  [['start', '--canary', '1', FIVE], 64, '--canary is about rollouts: only with --replace'],
  [['start', '--replace', '--no-block', FIVE], 64, '--no-block does not go with it'],
  [['rollout', 'rollback'], 1, 'no rollout was begun yet; nothing was changed'],
  [['rollout', 'show', '9'], 1, 'there is no rollout "9"; nothing was changed'],
])('%j is refused in one line', async (args, code, message) => {
  await version('two');
  const ran = await at.run(...args);
  expect(ran.code).toBe(code);
  expect(ran.stderr.split('\n').filter((line) => line.startsWith('Error:'))).toHaveLength(1);
  expect(ran.stderr).toContain(message);
  expect(installed()).toEqual(Array(5).fill('one'));
});

test('a driver that is killed at any moment leaves a rollout that another one brings to its end', async () => {
  for (const [round, wait] of [50, 250, 500, 900, 1_400].entries()) {
    const name = `version${round}`;
    await version(name);
    const running = at.start('start', '--replace', '--min-healthy', '800ms', FIVE);
    await eventually('it has begun', () => running.log().includes('begins'));
    await sleep(wait);
    running.child.kill('SIGKILL');
    await running.ended;
    const ran = await at.run('rollout', 'resume');
    expect(ran, ran.stderr).toMatchObject({ code: 0 });
    expect(installed(), `killed after ${wait} ms`).toEqual(Array(5).fill(name));
    expect((await shown()).state).toBe('done');
  }
}, 180_000);

test('Ctrl-C leaves the rollout to whoever resumes it, at once', async () => {
  await version('two');
  const running = at.start('start', '--replace', '--min-healthy', '500ms', FIVE);
  await eventually('one is changed', () => running.log().includes('is changed and watched'));
  running.child.kill('SIGINT');
  const ran = await running.ran;
  expect(ran.code).toBe(130);
  expect(ran.stderr).toContain('cluster rollout resume 1');
  await at.ok('rollout', 'resume');
  expect(installed()).toEqual(Array(5).fill('two'));
});
