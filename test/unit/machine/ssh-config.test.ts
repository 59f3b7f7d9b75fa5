import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { lookupHost, parseSpec, resolveTarget } from '../../../src/lib/machine/ssh/ssh-config.ts';

const dir = mkdtempSync(join(tmpdir(), 'sshconfig-'));
afterAll(() => rmSync(dir, { recursive: true }));

function options(text: string) {
  const config = join(dir, 'config');
  writeFileSync(config, text);
  return { timeoutMs: 1000, strictHostKeyChecking: 'yes', config } as const;
}

describe('ssh_config', () => {
  test('applies user and port when a machine is added, keeping the alias', () => {
    const config = options('Host web\n  HostName 10.0.0.5\n  User admin\n  Port 2222\n');
    expect(resolveTarget({ address: 'web' }, config)).toEqual({ address: 'web', user: 'admin', port: 2222 });
    expect(resolveTarget({ address: 'web', user: 'me', port: 22 }, config)).toEqual({
      address: 'web',
      user: 'me',
      port: 22,
    });
    expect(resolveTarget({ address: 'db' }, config, { user: 'core' })).toEqual({
      address: 'db',
      user: 'core',
      port: 22,
    });
  });

  test('expands tokens, gathers identity files, reads jumps', () => {
    const config = options(
      'Host w*\n  HostName %h.example.org\n  IdentityFile ~/.ssh/%r@%h-%p\n  IdentityFile /k%%\n  ProxyJump a@j1:2,j2\n  UserKnownHostsFile %d/kh\n  StrictHostKeyChecking accept-new\n',
    );
    expect(lookupHost('web', config, { user: 'u', port: 7 })).toMatchObject({
      hostName: 'web.example.org',
      user: 'u',
      port: 7,
      identityFiles: [`${homedir()}/.ssh/u@web.example.org-7`, '/k%'],
      proxyJump: ['a@j1:2', 'j2'],
      knownHostsFiles: [`${homedir()}/kh`],
      acceptNew: true,
    });
  });

  test('includes files, and comes back to the section it was in', () => {
    writeFileSync(join(dir, 'one.inc'), 'Host web\n  User included\n');
    const config = options(`Host db\n  Include ${dir}/*.inc\n  Port 5\n`);
    expect(lookupHost('web', config)).toMatchObject({ user: 'included' });
    expect(lookupHost('web', config).port).toBeUndefined();
    expect(lookupHost('db', config).port).toBe(5);
  });

  test('does not run Match exec where ssh is not to be asked', () => {
    const mark = join(dir, 'ran');
    const config = options(
      `Match exec "touch ${mark}"\n  User evil\nMatch !exec "touch ${mark}"\n  User evil\n`,
    );
    expect(lookupHost('web', { ...config, transport: 'ssh2' }).user).toBeUndefined();
    expect(existsSync(mark)).toBe(false);
  });

  test.each([
    ['ProxyCommand nc %h %p', ['ProxyCommand nc %h %p']],
    ['ProxyCommand none', []],
    ['CertificateFile ~/cert.pub', ['CertificateFile ~/cert.pub']],
    ['PKCS11Provider /lib/p11.so', ['PKCS11Provider /lib/p11.so']],
    ['KexAlgorithms +diffie-hellman-group14-sha1', ['KexAlgorithms +diffie-hellman-group14-sha1']],
    ['GSSAPIAuthentication yes', []],
    ['ForwardAgent yes', []],
    ['SendEnv LANG LC_*', []],
  ])('%s needs the OpenSSH client: %j', (line, needs) => {
    const config = options(`Host other\n  Compression yes\nHost web\n  ${line}\n`);
    const place = `${config.config}:4: `;
    expect(lookupHost('web', config).opensshOnly).toEqual(needs.map((one) => place + one));
  });

  test('reads times, agents, families and aliases', () => {
    const config = options(
      'Host web\n ConnectTimeout 1m30s\n ServerAliveInterval 7\n ServerAliveCountMax 2\n IdentityAgent none\n AddressFamily inet6\n HostKeyAlias Web.Example\n IdentitiesOnly yes\n GlobalKnownHostsFile /a /b\nHost db\n IdentityAgent $AGENT_SOCKET\n ConnectTimeout none\n',
    );
    expect(lookupHost('web', config)).toMatchObject({
      connectTimeoutMs: 90_000,
      keepAliveMs: 7000,
      keepAliveCount: 2,
      identityAgent: null,
      family: 6,
      hostKeyAlias: 'web.example',
      identitiesOnly: true,
      globalKnownHostsFiles: ['/a', '/b'],
    });
    process.env.AGENT_SOCKET = '/agent';
    expect(lookupHost('db', config).identityAgent).toBe('/agent');
    expect(lookupHost('db', config).connectTimeoutMs).toBeUndefined();
    delete process.env.AGENT_SOCKET;
  });

  test('knows what to type for an alias, and for an address', () => {
    const config = options('Host web\n  HostName 10.0.0.5\n  User admin\n  Port 2222\n');
    const file = `-F ${config.config}`;
    expect(lookupHost('web', config, { user: 'admin', port: 2222 }).command).toBe(`ssh ${file} web`);
    expect(lookupHost('web', config, { user: 'me', port: 22 }).command).toBe(`ssh ${file} -p 22 me@web`);
    expect(lookupHost('10.0.0.6', { ...config, config: null }, { user: 'me', port: 22 }).command).toBe(
      'ssh -p 22 me@10.0.0.6',
    );
  });

  test('says which configuration cannot be read', () => {
    const missing = { timeoutMs: 1, strictHostKeyChecking: 'yes', config: join(dir, 'none') } as const;
    expect(() => lookupHost('web', missing)).toThrow(expect.objectContaining({ code: 'ssh-config-invalid' }));
  });
});

describe('parseSpec', () => {
  test.each([
    ['10.0.0.5', { address: '10.0.0.5' }],
    ['root@web:2222', { address: 'web', user: 'root', port: 2222 }],
    ['[2001:db8::5]:22', { address: '2001:db8::5', port: 22 }],
    ['me@2001:db8::5', { address: '2001:db8::5', user: 'me' }],
  ])('%s', (text, spec) => expect(parseSpec(text)).toEqual(spec));

  test.each(['', '@', 'a b', 'web:0', 'web:99999', 'web:x', '-oProxyCommand=x', 'u@'])(
    'refuses "%s"',
    (text) => {
      expect(() => parseSpec(text)).toThrow(expect.objectContaining({ code: 'machine-address-invalid' }));
    },
  );
});
