import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { packChange } from '../../../src/lib/machine/files/change.ts';
import { APPLY_SCRIPT, LOCK_SECONDS, MANIFEST_SCRIPT } from '../../../src/lib/machine/files/scripts.ts';

// The script itself, by a real shell, with its folders below a directory of the test.
let root: string;
const system = () => join(root, 'etc/systemd/system');
const below = (script: string): string =>
  script
    .replaceAll('/etc/cluster', `${root}/etc/cluster`)
    .replaceAll('/etc/systemd/', `${root}/etc/systemd/`);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'cluster-apply-'));
  await mkdir(system(), { recursive: true });
});

afterEach(() => rm(root, { recursive: true, force: true }));

const TEXT = '[Service]\nExecStart=/bin/true\n';
const change = (unit: string, ticket?: string): Promise<Buffer> =>
  packChange({
    install: [{ unit, hash: 'abc', text: TEXT, launched: true }],
    remove: [],
    ...(ticket !== undefined && { ticket }),
  });

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
}

function begin(script: string): { child: ChildProcessWithoutNullStreams; ended: Promise<Ran> } {
  const env = { PATH: process.env.PATH, SSH_CLIENT: '10.0.0.7 5000 22', USER: 'ops' };
  const child = spawn('sh', ['-c', below(script)], { env });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  return { child, ended: new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout }))) };
}

async function apply(unit: string, ticket?: string): Promise<Ran> {
  const { child, ended } = begin(APPLY_SCRIPT);
  child.stdin.end(await change(unit, ticket));
  return ended;
}

test('an operator who vanishes in the middle of an upload holds up nobody', async () => {
  const vanished = begin(APPLY_SCRIPT);
  const whole = await change('a.service');
  vanished.child.stdin.write(whole.subarray(0, 700));
  await expect
    .poll(async () => (await readdir(system())).some((name) => name.startsWith('.cluster-stage')))
    .toBe(true);

  const before = performance.now();
  expect(await apply('b.service')).toMatchObject({ code: 0 });
  expect(performance.now() - before).toBeLessThan(5000);
  expect(await readFile(join(system(), 'b.service'), 'utf8')).toBe(TEXT);

  vanished.child.stdin.end();
  expect((await vanished.ended).code).not.toBe(0);
  expect(await readdir(system())).not.toContain('a.service');
});

test('what a vanished upload left is swept after an hour, and not before', async () => {
  await mkdir(join(system(), '.cluster-stage.old'));
  await mkdir(join(system(), '.cluster-stage.new'));
  const old = new Date(Date.now() - 2 * 3600 * 1000);
  await utimes(join(system(), '.cluster-stage.old'), old, old);
  expect(await apply('a.service')).toMatchObject({ code: 0 });
  const left = (await readdir(system())).filter((name) => name.startsWith('.cluster-stage'));
  expect(left).toEqual(['.cluster-stage.new']);
});

test('whoever waits for the lock gives up in time and says who has it', async () => {
  await mkdir(join(root, 'etc/cluster'), { recursive: true });
  const lock = join(root, 'etc/cluster/lock');
  await writeFile(lock, 'root from 10.0.0.9, since 2026-01-01 10:00:00\n');
  const holder = spawn('flock', [lock, 'sleep', '60'], { detached: true });
  try {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const before = performance.now();
    const ran = await apply('a.service');
    expect(ran).toEqual({ code: 7, stdout: 'locked root from 10.0.0.9, since 2026-01-01 10:00:00\n' });
    expect(performance.now() - before).toBeLessThan((LOCK_SECONDS + 10) * 1000);
  } finally {
    process.kill(-(holder.pid ?? 0));
  }
  expect(await apply('a.service')).toMatchObject({ code: 0 });
  expect(await readFile(lock, 'utf8')).toMatch(/^ops from 10\.0\.0\.7, since /);
}, 60_000);

test('a file that is byte for byte ours is taken over; another one is foreign', async () => {
  await writeFile(join(system(), 'mine.service'), TEXT);
  expect(await apply('mine.service')).toMatchObject({ code: 0 });
  await writeFile(join(system(), 'theirs.service'), `${TEXT}# theirs\n`);
  expect(await apply('theirs.service')).toEqual({ code: 3, stdout: 'foreign theirs.service\n' });
});

test('the manifest tells what starts at boot, and changes that nobody settled', async () => {
  await apply('a.service', '0123456789abcdef');
  const { ended, child } = begin(MANIFEST_SCRIPT);
  child.stdin.end();
  expect((await ended).stdout).toBe(' 0123456789abcdef a.service\na.service abc boot\n');
});
