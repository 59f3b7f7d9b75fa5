import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  checkHostKey,
  fingerprint,
  hostKeyAlgorithms,
  knownHostLine,
  parseKnownHosts,
} from '../../../src/lib/machine/ssh/known-hosts.ts';

let dir: string;
const pub: Record<string, string> = {};
const key = (name: string) => Buffer.from(pub[name]!.split(' ')[1]!, 'base64');

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'knownhosts-'));
  for (const [name, type] of [
    ['a', 'ed25519'],
    ['b', 'ed25519'],
    ['e', 'ecdsa'],
  ] as const) {
    execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', '', '-f', join(dir, name)]);
    pub[name] = readFileSync(join(dir, `${name}.pub`), 'utf8').trim();
  }
});
afterAll(() => rmSync(dir, { recursive: true }));

describe('known_hosts', () => {
  test.each([
    ['plain name', 'web {a}', 'web', 22, 'known'],
    ['in any case', 'web {a}', 'WEB', 22, 'known'],
    ['one of several names', 'web,10.0.0.1 {a}', '10.0.0.1', 22, 'known'],
    ['not there', 'web {a}', 'db', 22, 'unknown'],
    ['another key', 'web {b}', 'web', 22, 'changed'],
    ['another type only', 'web {e}', 'web', 22, 'changed'],
    ['both keys', 'web {b}\nweb {a}', 'web', 22, 'known'],
    ['port in brackets', '[web]:2222 {a}', 'web', 2222, 'known'],
    ['another key on that port', '[web]:2222 {b}', 'web', 2222, 'changed'],
    ['port entry for the usual port', '[web]:2222 {a}', 'web', 22, 'unknown'],
    ['same key known without the port', 'web {a}', 'web', 2222, 'known'],
    ['other key known without the port', 'web {b}', 'web', 2222, 'unknown'],
    ['wildcard', '*.example.org {a}', 'x.example.org', 22, 'known'],
    ['question mark', 'web? {a}', 'web1', 22, 'known'],
    ['a dot is a dot', 'a.b {a}', 'axb', 22, 'unknown'],
    ['negation', '*.org,!x.org {a}', 'x.org', 22, 'unknown'],
    ['revoked', '@revoked * {a}\nweb {a}', 'web', 22, 'revoked'],
    ['another key revoked', '@revoked * {b}\nweb {a}', 'web', 22, 'known'],
    ['authority is no host key', '@cert-authority * {a}', 'web', 22, 'unknown'],
    ['comments and junk', '# web {a}\n\nweb\n@odd web {a}\nweb ssh-rsa {a}', 'web', 22, 'unknown'],
  ])('%s', (_what, text, host, port, status) => {
    const lines = text.replace(/\{(\w)\}/g, (_, name: string) => pub[name]!);
    expect(checkHostKey(parseKnownHosts(lines), host, port, key('a')).status).toBe(status);
  });

  test('says that an authority is trusted', () => {
    const hosts = parseKnownHosts(`@cert-authority * ${pub.a}`);
    expect(checkHostKey(hosts, 'web', 22, key('a'))).toEqual({ status: 'unknown', authority: true });
  });

  test('reads what ssh-keygen -H wrote', () => {
    const file = join(dir, 'hashed');
    writeFileSync(file, `web ${pub.a}\n[web]:2222 ${pub.b}\n`);
    execFileSync('ssh-keygen', ['-q', '-H', '-f', file], { stdio: 'ignore' });
    const text = readFileSync(file, 'utf8');
    expect(text).toContain('|1|');
    expect(text).not.toContain('web');
    const hosts = parseKnownHosts(text);
    expect(checkHostKey(hosts, 'web', 22, key('a')).status).toBe('known');
    expect(checkHostKey(hosts, 'web', 22, key('b')).status).toBe('changed');
    expect(checkHostKey(hosts, 'web', 2222, key('b')).status).toBe('known');
    expect(checkHostKey(hosts, 'db', 22, key('b')).status).toBe('unknown');
  });

  test('gives the fingerprint that ssh-keygen gives', () => {
    const said = execFileSync('ssh-keygen', ['-l', '-f', join(dir, 'a.pub')], { encoding: 'utf8' });
    expect(said.split(' ')[1]).toBe(fingerprint(key('a')));
  });

  test('offers algorithms of known keys first', () => {
    const hosts = parseKnownHosts(`web ${pub.e}\nother ${pub.a}`);
    expect(hostKeyAlgorithms(hosts, 'web', 22)[0]).toBe('ecdsa-sha2-nistp256');
    expect(hostKeyAlgorithms(hosts, 'other', 22)[0]).toBe('ssh-ed25519');
    expect(hostKeyAlgorithms([], 'web', 22)).toContain('rsa-sha2-512');
  });

  test('writes lines that it reads', () => {
    const hosts = parseKnownHosts(knownHostLine('Web', 2222, key('a')));
    expect(checkHostKey(hosts, 'web', 2222, key('a')).status).toBe('known');
  });
});
