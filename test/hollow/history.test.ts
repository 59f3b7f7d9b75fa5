import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import type { Workplace } from '../support/cli.ts';
import { withLab } from '../support/lab.ts';

let at: Workplace;
const service = (seconds: number) => `[Service]\nExecStart=/bin/sleep ${seconds}\n`;
const events = async (...args: string[]) => (await at.ok('events', ...args)).stdout.trim().split('\n');

withLab('history', ['--hollow', '2'], async (made) => {
  at = made;
  await at.file('web@.service', service(1001));
  await at.ok('start', 'web@<1..3>', '--message', 'first');
  await at.file('web@.service', service(1002));
  await at.ok('start', '--replace', 'web@1');
});

test('history: who, when, why and with which command, newest first; a star is what units have', async () => {
  const { stdout } = await at.ok('history', 'web@1');
  const lines = stdout.trim().split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[1]).toMatch(/^\* +web@\.service +[0-9a-f]{7} .* start --replace web@1$/);
  expect(lines[2]).toContain('first');
  const versions = JSON.parse((await at.ok('history', '--json')).stdout) as { text: string; who: string }[];
  expect(versions.map(({ text }) => text)).toEqual([service(1002), service(1001)]);
  expect(versions[0]?.who).toMatch(/^\S+@\S+$/);
});

test('diff: the last change, or two texts by their hashes', async () => {
  const { stdout } = await at.ok('diff', 'web@');
  expect(stdout).toContain('-ExecStart=/bin/sleep 1001\n+ExecStart=/bin/sleep 1002\n');
  const [newer, older] = JSON.parse((await at.ok('history', 'web@', '--json')).stdout) as { hash: string }[];
  const back = await at.ok('diff', 'web@', newer?.hash ?? '', older?.hash.slice(0, 8) ?? '');
  expect(back.stdout).toContain('-ExecStart=/bin/sleep 1002\n+ExecStart=/bin/sleep 1001\n');
  expect((await at.ok('diff', 'web@', newer?.hash ?? '', newer?.hash ?? '')).stdout).toContain(
    'the same text',
  );
});

test('rollback: one instance, then all of them, each stays as it is', async () => {
  await at.ok('stop', 'web@3');
  expect((await at.ok('rollback', 'web@1', '--dry-run')).stdout).toContain('web@1.service');
  const one = await at.ok('rollback', 'web@1', '--all-at-once');
  expect(one.stdout).toMatch(/^Unit web@1\.service launched/m);
  expect(one.stdout).not.toContain('web@2');
  expect((await at.ok('cat', 'web@1')).stdout).toBe(service(1001));
  expect((await at.ok('cat', 'web@2')).stdout).toBe(service(1001));
  const [latest] = JSON.parse((await at.ok('history', 'web@2', '--json')).stdout) as { hash: string }[];
  const rolled = await at.ok(
    'rollback',
    'web@',
    '--to',
    latest?.hash.slice(0, 7) ?? '',
    '--min-healthy',
    '0',
  );
  expect(rolled.stdout).toContain('ollout');
  const { stdout } = await at.ok('list-unit-files', '--fields', 'unit,dstate,hash', '--no-legend');
  const rows = stdout
    .trim()
    .split('\n')
    .map((row) => row.split(/\s+/));
  expect(new Set(rows.map(([, , hash]) => hash)).size).toBe(1);
  expect(rows.find(([unit]) => unit === 'web@3.service')?.[1]).toBe('loaded');
  expect((await at.ok('reconcile')).stdout).toContain('Nothing to do');
});

test('a destroyed unit comes back as it was, not running', async () => {
  await at.file('gone.service', service(7));
  await at.ok('start', 'gone');
  await at.ok('destroy', 'gone');
  await at.ok('rollback', 'gone');
  expect((await at.ok('cat', 'gone')).stdout).toBe(service(7));
  expect((await at.ok('list-unit-files', '--no-legend')).stdout).toMatch(/gone\.service +\S+ +inactive/);
});

test('a clean checkout is named by its commit, one with other changes is not', async () => {
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], {
      cwd: at.dir,
      encoding: 'utf8',
    });
  await at.file('git.service', service(8));
  git('init', '-q');
  git('add', 'git.service');
  git('commit', '-qm', 'one');
  await at.ok('submit', 'git.service');
  await at.file('git.service', service(9));
  await at.ok('submit', '--replace', 'git.service');
  const versions = JSON.parse((await at.ok('history', 'git', '--json')).stdout) as { commit?: string }[];
  expect(versions.map(({ commit }) => commit)).toEqual([undefined, git('rev-parse', 'HEAD').trim()]);
});

test('events: in order, by unit, machine and time, and followed', async () => {
  const all = await events();
  expect(
    all.some((line) => line.includes('web@1.service and 2 more launched') || line.includes('"first"')),
  ).toBe(true);
  expect(await events('--unit', 'gone')).toHaveLength(3);
  expect((await events('--unit', 'web@*')).length).toBeGreaterThan(3);
  const [machine] = JSON.parse((await at.ok('list-machines', '--json')).stdout) as { id: string }[];
  for (const line of JSON.parse((await at.ok('events', '--machine', machine?.id ?? '', '--json')).stdout) as {
    changes: { machine?: string; name: string }[];
  }[])
    expect(line.changes.some((change) => [change.machine, change.name].includes(machine?.id))).toBe(true);
  expect((await at.ok('events', '--since', '2100-01-01')).stdout).toBe('');
  expect(await events('--since', '1h')).toEqual(all);
});

test.each([
  [['history', 'none'], 'no text of none.service is kept'],
  [['diff', 'none'], 'no text of none.service is kept'],
  [['diff', 'gone'], 'no text of gone.service before the current one is kept'],
  [['rollback', 'gone'], 'no text of gone.service before the current one is kept'],
  [['rollback', 'web@', '--to', 'zzz'], 'no text of web@.service has a hash that begins with "zzz"'],
  [['rollback', 'web@', '--to', ''], 'no text of web@.service has a hash that begins with ""'],
  [['events', '--since', 'tomorrow'], '--since "tomorrow" is no time'],
])('%j: one line, nothing changed', async (args, message) => {
  const before = (await at.ok('list-unit-files', '--json')).stdout;
  const { code, stdout, stderr } = await at.run(...args);
  expect({ code, stdout }).toMatchObject({ stdout: '' });
  expect(code).not.toBe(0);
  expect(stderr).toContain(`Error: ${message}`);
  expect(stderr).toMatch(/\n {2}try: /);
  expect((await at.ok('list-unit-files', '--json')).stdout).toBe(before);
});
