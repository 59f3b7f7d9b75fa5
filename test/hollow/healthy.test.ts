import { expect, test } from 'vitest';
import type { Workplace } from '../support/cli.ts';
import { withLab } from '../support/lab.ts';

let at: Workplace;

const FILES: Readonly<Record<string, string>> = {
  'early.service': "ExecStart=/bin/sh -c 'sleep 0.5; exit 1'",
  'false.service': 'ExecStart=/bin/false',
  'loop.service': "ExecStart=/bin/sh -c 'sleep 0.3; exit 3'\nRestart=always",
  'exec.service': "Type=exec\nExecStart=/bin/sh -c 'sleep 0.4; exit 4'",
  'good.service': 'ExecStart=/bin/sleep infinity',
  'clean.service': "ExecStart=/bin/sh -c 'sleep 0.2; exit 0'",
  'notify.service': 'Type=notify\nExecStart=/bin/sleep infinity',
  'once.service': "Type=oneshot\nExecStart=/bin/sh -c 'sleep 7; exit 0'",
};

withLab('healthy', ['--hollow', '1'], async (made) => {
  at = made;
  for (const [name, settings] of Object.entries(FILES)) await at.file(name, `[Service]\n${settings}\n`);
});

/** How long it took, in milliseconds. */
async function timed(...args: string[]) {
  const begun = performance.now();
  const ran = await at.run(...args);
  return { ...ran, ms: performance.now() - begun };
}

test.each([
  ['early.service', 'exit status 1'],
  ['false.service', 'exit status 1'],
  ['exec.service', 'exit status 4'],
  ['loop.service', ''],
])('%s, which dies in its first second, is never launched', async (unit, why) => {
  // A start finds nothing to do while systemd has a crashed program running again.
  const again = unit === 'loop.service' ? [] : [['start', '--replace']];
  for (const verb of [['start'], ...again, ['restart']]) {
    const ran = await at.run(...verb, unit);
    expect(ran.stdout, verb.join(' ')).not.toMatch(/launched|restarted/);
    expect(ran.stderr).toContain(`Error: unit ${unit} failed on`);
    expect(ran.stderr).toContain(why);
    expect(ran.code).toBe(1);
  }
  const healed = await at.run('reconcile');
  expect(healed.stdout).not.toContain('launched');
  await at.ok('destroy', unit);
});

test('--min-healthy 0, or its variable, asks for nothing more than systemd does', async () => {
  const ran = await at.run('start', '--min-healthy', '0', 'early.service');
  expect(ran.stdout).toContain('Unit early.service launched');
  await at.ok('destroy', 'early.service');
  const wrong = await at.run('start', '--min-healthy', 'soon', 'early.service');
  expect(wrong.code).not.toBe(0);
  expect(wrong.stderr).toContain("--min-healthy is 'soon'");
});

test('units are watched at the same time, and those that report readiness not at all', async () => {
  await at.file('many@.service', '[Service]\nExecStart=/bin/sleep infinity\n');
  const none = await timed('start', '--min-healthy', '0', 'many@<1..20>.service');
  await at.ok('destroy', 'many@*');
  const watched = await timed('start', '--min-healthy', '2s', 'many@<1..20>.service');
  expect(watched.stdout.match(/launched/g)).toHaveLength(20);
  expect(watched.ms - none.ms).toBeGreaterThan(1500);
  expect(watched.ms - none.ms).toBeLessThan(8000);
  await at.ok('destroy', 'many@*');
  const notify = await timed('start', '--min-healthy', '60s', 'notify.service');
  expect(notify.stdout).toContain('Unit notify.service launched');
  expect(notify.ms).toBeLessThan(30_000);
});

test('a program that ends without a failure is no failure', async () => {
  const ran = await at.run('start', 'clean.service', 'good.service');
  expect(ran).toMatchObject({ code: 0 });
  expect(ran.stdout).toContain('Unit clean.service launched');
});

test('results come as they are known, and a wait says what for', async () => {
  const running = at.start('start', 'once.service', 'good.service', 'false.service');
  let firstResult = 0;
  let waiting = 0;
  const begun = performance.now();
  const timer = setInterval(() => {
    const log = running.log();
    if (firstResult === 0 && log.includes('unit false.service failed'))
      firstResult = performance.now() - begun;
    if (waiting === 0 && log.includes('Waiting')) waiting = performance.now() - begun;
  }, 20);
  const ran = await running.ran;
  clearInterval(timer);
  const total = performance.now() - begun;
  expect(ran.code).toBe(1);
  expect(ran.stderr).toMatch(/^Waiting \d+ s for once\.service on \S+ \(start job\)$/m);
  expect(ran.stderr).toMatch(/^1 of 2 units launched, 1 failed, on 1 machine, in [\d.]+ s$/m);
  expect(firstResult).toBeGreaterThan(0);
  expect(firstResult).toBeLessThan(total - 2000);
  expect(waiting).toBeGreaterThan(firstResult);
}, 60_000);
