import { spawn } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEmbedded } from '../../../src/lib/store/embedded.ts';
import { storeContract } from './store.contract.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cluster.store-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

storeContract('embedded', async () => {
  const where = join(directory, 'contract');
  const store = await openEmbedded(where);
  return {
    store,
    another: () => openEmbedded(where),
    remote: ['embedded', where],
    compact: async () => {
      // Only filling the log makes it forget: 10,000 revisions, or 64 MiB of values.
      for (let i = 0; i < 80; i++) {
        await store.commit({ compare: [], writes: [{ put: 'filler', value: 'x'.repeat(1_000_000) }] });
      }
    },
    close: () => store.close(),
  };
});

test('kill -9 in the middle of writing leaves a whole store', async () => {
  const where = join(directory, 'killed');
  const writer = new URL('writer.ts', import.meta.url).pathname;
  for (let round = 0; round < 3; round++) {
    const args = ['--import', 'tsx', writer, 'embedded', where, `k${round}`, '1000000'];
    const child = spawn(process.execPath, args, { stdio: 'ignore' });
    const reader = await openEmbedded(where);
    // Killed only once it writes: how long its start takes depends on the computer.
    await expect.poll(() => reader.get('race/counter'), { timeout: 30_000, interval: 20 }).not.toBeNull();
    await reader.close();
    await sleep(50 + round * 137);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    const store = await openEmbedded(where);
    const { entries } = await store.range('race/');
    const counter = Number(entries.find((entry) => entry.key === 'race/counter')?.value ?? 0);
    expect(entries.filter((entry) => entry.key !== 'race/counter')).toHaveLength(counter);
    await store.commit({ compare: [], writes: [{ put: 'alive', value: '' }] });
    await store.close();
    expect(counter).toBeGreaterThan(0);
  }
});

test('a path that is a file is refused with a hint', async () => {
  const file = join(directory, 'file');
  await writeFile(file, '');
  for (const path of [file, join(file, 'below')]) {
    await expect(openEmbedded(path)).rejects.toMatchObject({
      code: 'store-unreachable',
      exit: 5,
      hint: expect.stringMatching(/data-dir/),
    });
  }
});

const root = process.getuid?.() === 0;
const why = root ? ' (skipped: root may write everywhere)' : '';
test.skipIf(root)(`a directory that may not be written is refused${why}`, async () => {
  const locked = await mkdtemp(join(directory, 'locked'));
  await chmod(locked, 0o500);
  await expect(openEmbedded(join(locked, 'store'))).rejects.toMatchObject({ code: 'store-unreachable' });
});

test('files that are not a store are called damaged', async () => {
  const where = await mkdtemp(join(directory, 'junk'));
  await writeFile(join(where, 'data.mdb'), 'x'.repeat(100_000));
  await expect(openEmbedded(where)).rejects.toMatchObject({ code: 'store-broken', exit: 5 });
});

test.runIf(process.getuid !== undefined)(
  'whatever was there before, only its owner may read the store',
  async () => {
    const where = join(directory, 'open');
    await mkdir(where, { mode: 0o755 });
    await (await openEmbedded(where)).close();
    for (const file of ['data.mdb', 'lock.mdb']) await chmod(join(where, file), 0o644);
    await chmod(where, 0o777);
    await (await openEmbedded(where)).close();
    const mode = async (path: string) => (await stat(path)).mode & 0o777;
    expect(await mode(where)).toBe(0o700);
    for (const file of ['data.mdb', 'lock.mdb']) expect(await mode(join(where, file))).toBe(0o600);
  },
);

test.runIf(process.getuid?.() === 0)('a directory of another user is refused', async () => {
  const where = join(directory, 'foreign');
  await mkdir(where);
  await chown(where, 1234, 1234);
  await expect(openEmbedded(where)).rejects.toMatchObject({ code: 'directory-foreign' });
  const link = join(directory, 'link');
  await symlink(where, link);
  await expect(openEmbedded(link)).rejects.toMatchObject({ code: 'directory-foreign' });
});

test.runIf(process.getuid?.() === 0)('a directory that somebody else could exchange is refused', async () => {
  const open = join(directory, 'everybody');
  await mkdir(open);
  await chmod(open, 0o777);
  await expect(openEmbedded(join(open, 'store'))).rejects.toMatchObject({ code: 'directory-foreign' });
  await expect(openEmbedded(join(open, 'deep', 'store'))).rejects.toMatchObject({
    code: 'directory-foreign',
  });

  // As in /tmp: whoever makes the directory first decides what is in it.
  await chmod(open, 0o1777);
  await mkdir(join(open, 'planted'));
  await chown(join(open, 'planted'), 1234, 1234);
  await expect(openEmbedded(join(open, 'planted', 'store'))).rejects.toMatchObject({
    code: 'directory-foreign',
  });
  await (await openEmbedded(join(open, 'ours'))).close();
});
