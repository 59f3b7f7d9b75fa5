import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeSecret } from '../../src/lib/control/traffic/secret.ts';
import { writeWhole } from '../../src/lib/gateway/write-whole.ts';
import { ensureKeys, keyFiles } from '../../src/lib/lab/hollow/keys.ts';
import { ensureLabKey } from '../../src/lib/lab/real/keys.ts';
import { labPaths } from '../../src/lib/lab/real/paths.ts';
import { writePrivate } from '../../src/lib/private-directory.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cluster-test-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const mode = async (file: string): Promise<number> => (await stat(file)).mode & 0o777;

/** A file that everybody may read, where a secret is about to be written. */
async function open(file: string, text = ''): Promise<string> {
  await writeFile(file, text);
  await chmod(file, 0o644);
  return file;
}

/** Everything of ours that writes a secret to a file on this computer. SETTINGS_SCRIPT, for machines, is tried in a lab. */
test.each([
  ['private files', (file: string) => writePrivate(file, 'secret')],
  ["the gateway's files", (file: string) => writeWhole(file, 'secret')],
  ['--file of cluster secret', (file: string) => writeSecret(file, 'secret')],
])('%s end up 0600 whatever lay there', async (name, write) => {
  const file = await open(join(dir, name.replaceAll(/\W/g, '-')));
  const reader = await readFile(file, 'utf8');
  await write(file);
  expect(reader).toBe('');
  expect(await readFile(file, 'utf8')).toBe('secret');
  expect(await mode(file)).toBe(0o600);
});

test.each(['', 'junk'])("a hollow lab's keys end up 0600, over %j and when they are kept", async (text) => {
  const files = Object.values(keyFiles(dir));
  for (const file of files) await open(file, text);
  await ensureKeys(dir, () => undefined);
  for (const file of files) expect(await mode(file)).toBe(0o600);

  for (const file of files) await chmod(file, 0o644);
  expect((await ensureKeys(dir, () => undefined)).fresh).toBe(false);
  for (const file of files) expect(await mode(file)).toBe(0o600);
});

test("a real lab's key ends up 0600, and one that others could read is kept", async () => {
  const lab = { ...labPaths('private', dir), identity: join(dir, 'lab-key') };
  await open(lab.identity, 'junk');
  await open(`${lab.identity}.pub`, 'junk');
  expect(await ensureLabKey(lab, () => undefined)).toBe(true);
  expect(await mode(lab.identity)).toBe(0o600);

  await chmod(lab.identity, 0o644);
  expect(await ensureLabKey(lab, () => undefined)).toBe(false);
  expect(await mode(lab.identity)).toBe(0o600);
});

test('a secret goes where a link leads, and what is no file is not replaced', async () => {
  const target = await open(join(dir, 'target'));
  await symlink(target, join(dir, 'link'));
  await writeSecret(join(dir, 'link'), 'secret');
  expect(await readFile(target, 'utf8')).toBe('secret');
  expect(await mode(target)).toBe(0o600);

  await writeSecret('/dev/null', 'secret');
  expect((await stat('/dev/null')).isCharacterDevice()).toBe(true);
});
