import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newKeyPair } from '../../../src/lib/lab/hollow/keys.ts';
import { ensureLabKey } from '../../../src/lib/lab/real/keys.ts';
import { labPaths } from '../../../src/lib/lab/real/paths.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'cluster-keys-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** The public half of a private key, as OpenSSH reads it. */
const publicHalf = (file: string): string =>
  execFileSync('ssh-keygen', ['-y', '-P', '', '-f', file], { encoding: 'utf8' }).trim();

test("OpenSSH reads a hollow lab's key", () => {
  const pair = newKeyPair('a comment');
  const file = join(dir, 'hollow');
  writeFileSync(file, pair.private, { mode: 0o600 });
  expect(publicHalf(file)).toBe(pair.public.trim());
});

test.each([
  ['half a private key', 'id_ed25519', (text: string) => text.slice(0, 150)],
  ['an empty private key', 'id_ed25519', () => ''],
  ['the public half of another key', 'id_ed25519.pub', () => newKeyPair('another').public],
])("a real lab's key is kept, and replaced where it is %s", async (_, name, broken) => {
  const lab = labPaths('keys', dir);
  mkdirSync(lab.dir, { recursive: true });
  const said: string[] = [];
  const ensure = () => ensureLabKey(lab, (line) => void said.push(line));
  await ensure();
  const kept = publicHalf(lab.identity);
  expect(await ensure()).toBe(false);
  expect(publicHalf(lab.identity)).toBe(kept);
  expect(said).toEqual([]);

  const file = join(lab.dir, name);
  writeFileSync(file, broken(readFileSync(file, 'utf8')));
  expect(await ensure()).toBe(true);
  expect(said).toEqual([expect.stringContaining('are not a readable key pair; making a new one')]);
  expect(readFileSync(`${lab.identity}.pub`, 'utf8')).toContain(publicHalf(lab.identity));
  rmSync(lab.dir, { recursive: true });
});
