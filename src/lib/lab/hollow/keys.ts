import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ParsedKey } from 'ssh2';
import ssh2 from 'ssh2';
import { makeFilePrivate, writePrivate } from '../../private-directory.ts';

/** The keys of a hollow lab: the one that its machines let in, and the one by which they are known. */
export interface LabKeys {
  readonly login: ParsedKey;
  readonly host: ParsedKey;
  /** At least one of them was made by this call. */
  readonly fresh: boolean;
}

/** Where a hollow lab keeps its keys; each has its public half beside it in `FILE.pub`. */
export const keyFiles = (stateDir: string) => ({
  login: join(stateDir, 'id_ed25519'),
  host: join(stateDir, 'host_ed25519'),
});

/** Reads a hollow lab's keys and makes those that are missing. One that cannot be read is replaced, and `report` is told. */
export async function ensureKeys(stateDir: string, report: (line: string) => void): Promise<LabKeys> {
  const files = keyFiles(stateDir);
  const login = await ensureKey(files.login, report);
  const host = await ensureKey(files.host, report);
  return { login: login.key, host: host.key, fresh: login.fresh || host.fresh };
}

async function ensureKey(
  file: string,
  report: (line: string) => void,
): Promise<{ key: ParsedKey; fresh: boolean }> {
  const kept = await readFile(file, 'utf8').catch(() => undefined);
  if (kept !== undefined) {
    const parsed = ssh2.utils.parseKey(kept);
    await makeFilePrivate(file);
    if (!(parsed instanceof Error)) return { key: parsed, fresh: false };
    report(`${file} cannot be read (${parsed.message}); making a new key`);
  }

  const pair = newKeyPair('hollow lab, throw-away');
  await writePrivate(`${file}.pub`, pair.public);
  await writePrivate(file, pair.private);
  const parsed = ssh2.utils.parseKey(pair.private);
  if (parsed instanceof Error) throw parsed;
  return { key: parsed, fresh: true };
}

/**
 * A new Ed25519 pair as OpenSSH writes it (PROTOCOL.key in its sources), without a passphrase. ssh2's own generator drops
 * leading zero bytes, so that about one of its keys in 400 cannot be read.
 */
export function newKeyPair(comment: string): { private: string; public: string } {
  const { d = '', x = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const [seed, point] = [Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')];
  const type = 'ssh-ed25519';
  const publicKey = Buffer.concat([field(type), field(point)]);
  const check = randomBytes(4);
  const secret = Buffer.concat([
    check,
    check,
    publicKey,
    field(Buffer.concat([seed, point])),
    field(comment),
  ]);
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7].slice(0, (8 - (secret.length % 8)) % 8));
  const whole = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    field('none'),
    field('none'),
    field(''),
    Buffer.from([0, 0, 0, 1]),
    field(publicKey),
    field(Buffer.concat([secret, padding])),
  ]);
  const lines = whole.toString('base64').match(/.{1,70}/g) ?? [];
  return {
    private: `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join('\n')}\n-----END OPENSSH PRIVATE KEY-----\n`,
    public: `${type} ${publicKey.toString('base64')} ${comment}\n`,
  };
}

/** A string of the SSH protocol: its length in four bytes, then its bytes. */
function field(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content as string);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
