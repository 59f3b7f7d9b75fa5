import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
// @ts-expect-error: a script without types
import * as script from '../../scripts/package.mjs';
import { newestRelease, readRelease, releaseFacts } from '../../src/lib/control/machines/release.ts';

interface Entry {
  name: string;
  mode: number;
  content: Buffer;
}

const { archive, closure, contentHash, elfArchitecture, externals, releaseText } = script as {
  archive(top: string, entries: readonly Entry[]): Promise<Buffer>;
  closure(lock: Record<string, object>, names: string[], arch: string): string[];
  contentHash(entries: readonly Entry[]): string;
  elfArchitecture(head: Buffer): string | undefined;
  externals(names: string[]): string[];
  releaseText(file: string): string | undefined;
};

const SCRIPT = join(import.meta.dirname, '..', '..', 'scripts', 'package.mjs');
const entry = (name: string, text: string, mode = 0o644): Entry => ({
  name,
  mode,
  content: Buffer.from(text),
});
const RELEASE = `version 0.1.0\narch x64\nhash ${'ab'.repeat(32)}\n`;

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'cluster-package-test-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function elf(machine: number): Buffer {
  const head = Buffer.alloc(64);
  head.write('\x7fELF', 'latin1');
  head.writeUInt16LE(machine, 18);
  return head;
}

test('a program tells its architecture', () => {
  expect(elfArchitecture(readFileSync(process.execPath).subarray(0, 64))).toBe(process.arch);
  expect(elfArchitecture(elf(183))).toBe('arm64');
  expect(elfArchitecture(elf(40))).toBeUndefined();
  expect(elfArchitecture(Buffer.from('#!/bin/sh\n'))).toBeUndefined();
});

test('a program tells what it requires besides Node', () => {
  const names = ['fs', 'node:net', './x', '@a/b/c', 'lmdb', 'cpu-features', 'd/e'];
  expect(externals(names)).toEqual(['@a/b', 'd', 'lmdb']);
});

describe('what comes along', () => {
  const lock = {
    'node_modules/a': {
      dependencies: { b: '1', '@types/x': '1' },
      optionalDependencies: { n: '1', m: '1', gone: '1' },
    },
    'node_modules/a/node_modules/b': { dependencies: { c: '1' } },
    'node_modules/b': {},
    'node_modules/c': { dependencies: { a: '1' } },
    'node_modules/n': { os: ['linux'], cpu: ['arm64'] },
    'node_modules/m': { os: ['linux'], cpu: ['x64'], libc: ['musl'] },
  };
  test('is the nearest one, each once, and only for that architecture', () => {
    expect(closure(lock, ['a'], 'x64')).toEqual([
      'node_modules/a',
      'node_modules/a/node_modules/b',
      'node_modules/c',
    ]);
    expect(closure(lock, ['a'], 'arm64')).toContain('node_modules/n');
  });
  test('must be locked', () => {
    expect(() => closure(lock, ['z'], 'x64')).toThrow('z is not in package-lock.json');
  });
});

test('the hash follows content, names and modes, not order nor compiled code', () => {
  const [one, two] = [entry('a', '1'), entry('b', '2')];
  const hash = contentHash([one, two]);
  expect(contentHash([two, one, entry('dist/x.cache', 'any')])).toBe(hash);
  for (const other of [[one], [one, entry('b', '3')], [one, entry('c', '2')], [one, entry('b', '2', 0o755)]])
    expect(contentHash(other)).not.toBe(hash);
});

test('the same files make the same archive, which tells what it is', async () => {
  const make = () =>
    archive('cluster-0.1.0-linux-x64', [entry('RELEASE', RELEASE), entry('bin/x', 'x', 0o755)]);
  const made = await make();
  await new Promise((resolve) => setTimeout(resolve, 1100));
  expect((await make()).equals(made)).toBe(true);
  const file = join(dir, 'cluster-0.1.0-linux-x64.tar.gz');
  writeFileSync(file, made);
  expect(releaseText(file)).toBe(RELEASE);
  expect(await releaseFacts(made)).toEqual({ version: '0.1.0', arch: 'x64', hash: 'ab'.repeat(32) });
  const listed = spawnSync('tar', ['-tvzf', file], { encoding: 'utf8' });
  expect(listed.stderr).toBe('');
  expect(listed.stdout).toMatch(
    /-rwxr-xr-x root\/root +1 2000-01-01 00:00 cluster-0\.1\.0-linux-x64\/bin\/x\n/,
  );
});

test('what is not a release is refused, and one that does not match its checksum', async () => {
  const file = join(dir, 'other.tar.gz');
  writeFileSync(file, 'no gzip');
  expect(releaseText(file)).toBeUndefined();
  await expect(readRelease(file)).rejects.toMatchObject({ code: 'bad-release', place: { file } });
  writeFileSync(file, await archive('top', [entry('README', 'x')]));
  await expect(readRelease(file)).rejects.toMatchObject({ code: 'bad-release' });
  await expect(readRelease(join(dir, 'none.tar.gz'))).rejects.toThrow(/ENOENT/);
  const fine = join(dir, 'cluster-1-linux-arm64.tar.gz');
  writeFileSync(fine, await archive('top', [entry('RELEASE', RELEASE)]));
  expect((await newestRelease(dir, 'arm64')).file).toBe(fine);
  writeFileSync(`${fine}.sha256`, `${'0'.repeat(64)}  cluster-1-linux-arm64.tar.gz\n`);
  await expect(newestRelease(dir, 'arm64')).rejects.toThrow(/does not match/);
  await expect(newestRelease(join(dir, 'none'), 'arm64')).rejects.toMatchObject({ code: 'no-release' });
});

describe('npm run package says what it needs', () => {
  const run = (...args: string[]) => {
    const out = join(dir, 'out');
    const ran = spawnSync(process.execPath, [SCRIPT, '--out', out, ...args], { encoding: 'utf8' });
    expect(existsSync(out)).toBe(false);
    return { code: ran.status, stderr: ran.stderr };
  };
  const other = process.arch === 'arm64' ? 'x64' : 'arm64';

  test('a Node for another architecture', () => {
    expect(run('--arch', other)).toEqual({
      code: 1,
      stderr: `package: this computer's node is for linux-${process.arch}; name one for linux-${other}: --node FILE\n`,
    });
  });
  test('an architecture that it knows', () => {
    expect(run('--arch', 'mips')).toEqual({
      code: 1,
      stderr: 'package: no release can be made for mips; --arch is x64 or arm64\n',
    });
  });
});

test('dependencies are pinned: exact versions, and a hash for each package in the lock file', () => {
  const read = (name: string) =>
    JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', name), 'utf8'));
  const { dependencies, devDependencies } = read('package.json');
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies }))
    expect(version, name).toMatch(/^\d+\.\d+\.\d+$/);
  const { packages } = read('package-lock.json') as {
    packages: Record<string, { integrity?: string; optional?: boolean }>;
  };
  // Optional ones are those of other platforms, which npm writes down without having fetched them.
  for (const [name, { integrity, optional }] of Object.entries(packages))
    if (name !== '' && !optional) expect(integrity, name).toMatch(/^sha512-/);
});

test('no package runs code while it is installed', () => {
  const npmrc = readFileSync(join(import.meta.dirname, '..', '..', '.npmrc'), 'utf8');
  expect(npmrc).toMatch(/^ignore-scripts=true$/m);
});
