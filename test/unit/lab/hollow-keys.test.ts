import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ParsedKey } from 'ssh2';
import ssh2 from 'ssh2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureKeys, newKeyPair } from '../../../src/lib/lab/hollow/keys.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'cluster-hollow-keys-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function read(text: string): ParsedKey {
  const key = ssh2.utils.parseKey(text);
  if (key instanceof Error) throw key;
  return key;
}

/** The 32 bytes of a public key. */
const pointOf = (key: ParsedKey) => key.getPublicSSH().subarray(-32);

test('a new pair is read, signs, and is verified by its public half, with a leading zero byte too', () => {
  for (let zeros = 0, tries = 0; zeros === 0 || tries < 50; tries++) {
    const pair = newKeyPair('a comment');
    const [secret, known] = [read(pair.private), read(pair.public)];
    expect(secret.getPublicSSH()).toEqual(known.getPublicSSH());
    expect(known.verify('text', secret.sign('text'))).toBe(true);
    if (pointOf(known)[0] === 0) zeros++;
  }
});

test('keys are made once and kept; one that cannot be read is replaced, and that is said', async () => {
  const said: string[] = [];
  const report = (line: string) => void said.push(line);
  const first = await ensureKeys(dir, report);
  const second = await ensureKeys(dir, report);
  expect([first.fresh, second.fresh]).toEqual([true, false]);
  expect(second.login.getPublicSSH()).toEqual(first.login.getPublicSSH());
  expect(said).toEqual([]);

  const file = join(dir, 'host_ed25519');
  writeFileSync(file, readFileSync(file, 'utf8').slice(0, 150));
  const third = await ensureKeys(dir, report);
  expect(third.fresh).toBe(true);
  expect(third.login.getPublicSSH()).toEqual(first.login.getPublicSSH());
  expect(third.host.getPublicSSH()).not.toEqual(first.host.getPublicSSH());
  expect(said).toEqual([expect.stringMatching(/^\S+host_ed25519 cannot be read \(.+\); making a new key$/)]);
  expect(read(readFileSync(`${file}.pub`, 'utf8')).getPublicSSH()).toEqual(third.host.getPublicSSH());
});
