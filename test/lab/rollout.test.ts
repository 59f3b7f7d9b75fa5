import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Workplace } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { real, withRealLab } from '../support/real.ts';

let at: Workplace;

const SIX = 'web@<1..6>.service';
const version = (name: string, service: string, rules = '') =>
  at.file('web@.service', `[Unit]\nDescription=${name}\n[Service]\n${service}\n[X-Fleet]\n${rules}\n`);
/** A server that answers with this status; systemd takes `$$` for `$`. */
const serve = (status: number) =>
  `ExecStart=/usr/bin/perl -MIO::Socket::INET -e '$$s=IO::Socket::INET->new(LocalPort=>8000+%i,Listen=>5,ReuseAddr=>1) or die; while($$c=$$s->accept){sysread $$c,$$b,999;print $$c "HTTP/1.0 ${status} x\\\\r\\\\n\\\\r\\\\n";close $$c}'`;
const CHECK = 'HealthCheck=http://127.0.0.1:800%i/health';

withRealLab('rollout', ['--machines', '3'], async (made) => {
  at = made;
  await version('one', 'ExecStart=/bin/sleep infinity');
  await at.ok('start', '--min-healthy', '0', SIX);
});

const descriptions = async (): Promise<string[]> => {
  const files = await at.ok('list-unit-files', '--fields', 'unit,desc', '--no-legend');
  return files.stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/)[1] ?? '');
};
const active = async (): Promise<number> =>
  (await at.ok('list-units', '--fields', 'active', '--no-legend')).stdout.match(/^active$/gm)?.length ?? 0;

real('a version that dies after a while takes one unit down, and is brought back', async () => {
  await version(
    'bad',
    "ExecStart=/bin/sh -c 'echo no database; sleep 2; exit 3'\nRestart=always\nRestartSec=100ms",
  );
  const ran = await at.run('start', '--replace', '--min-healthy', '4s', SIX);
  expect(ran.code).toBe(1);
  expect(ran.stdout).toContain('no database');
  expect(ran.stderr).toMatch(/rollout 1 is halted: web@1\.service (was restarted|ended and is about to be)/);
  expect(await descriptions()).toEqual(['bad', 'one', 'one', 'one', 'one', 'one']);
  await at.ok('rollout', 'rollback');
  expect(await descriptions()).toEqual(Array(6).fill('one'));
  expect(await active()).toBe(6);
});

real('a health check is asked on the machine: 500 halts, 200 goes on', async () => {
  await version('sick', serve(500), CHECK);
  const ran = await at.run('start', '--replace', '--min-healthy', '1s', '--deadline', '4s', SIX);
  expect(ran.stderr).toContain('web@1.service was not healthy within 4 s: health check answers 500');
  await version('well', serve(200), CHECK);
  const mended = await at.ok('start', '--replace', '--min-healthy', '1s', '--max-unavailable', '2', SIX);
  expect(mended.stdout).toContain('done: 6 of 6 units healthy');
  expect(await descriptions()).toEqual(Array(6).fill('well'));
});

real(
  'a driver that is killed leaves a rollout that another one ends; a unit deaf to TERM is waited for',
  async () => {
    await version(
      'deaf',
      'ExecStart=/bin/sh -c \'trap "" TERM; while :; do sleep 1; done\'\nTimeoutStopSec=2',
    );
    await at.ok('start', '--replace', '--min-healthy', '500ms', '--max-unavailable', '3', SIX);
    await version('two', 'ExecStart=/bin/sleep infinity');
    const running = at.start('start', '--replace', '--min-healthy', '1s', '--max-unavailable', '2', SIX);
    await eventually('it is under way', () => running.log().includes('is being changed'), 20_000);
    await sleep(700);
    running.child.kill('SIGKILL');
    await running.ended;
    await at.ok('rollout', 'resume');
    expect(await descriptions()).toEqual(Array(6).fill('two'));
    expect(await active()).toBe(6);
  },
);

real('restart --rolling gives every unit another process', async () => {
  const ages = async () => (await at.ok('list-units', '--fields', 'unit,active', '--no-legend')).stdout;
  const before = await ages();
  const ran = await at.ok(
    'restart',
    '--rolling',
    '--min-healthy',
    '500ms',
    '--max-unavailable',
    '50%',
    'web@*',
  );
  expect(ran.stdout).toContain('done: 6 of 6 units healthy');
  expect(await ages()).toBe(before);
});
