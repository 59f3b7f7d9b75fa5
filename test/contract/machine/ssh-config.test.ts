import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectMachine, type SshOptions, unfollowedOptions } from '../../../src/lib/machine/index.ts';
import { openTransport } from '../../../src/lib/machine/ssh/open.ts';
import { SshServers } from '../../support/sshd.ts';

/** What `ssh -F FILE` logs in to, we must; each case is tried with the real client too. */
const sshd = new SshServers();
const { user } = sshd;
const agent = process.env.SSH_AUTH_SOCK;
let plain = 0;
let certificates = 0;
let factors = 0;
let known = '';
let crowded = '';

beforeAll(async () => {
  delete process.env.SSH_AUTH_SOCK;
  for (const name of ['good', 'other', 'ca', 'cert-user', 'expired', 'elsewhere', 'agent-cert'])
    sshd.key(name);
  const crowd = Array.from({ length: 8 }, (_, n) => sshd.key(`crowd-${n}`));
  const sign = (name: string, ...more: string[]) =>
    execFileSync('ssh-keygen', ['-q', '-s', sshd.at('ca'), '-I', 'id', ...more, `${sshd.at(name)}.pub`]);
  sign('cert-user', '-n', user);
  sign('agent-cert', '-n', user);
  sign('expired', '-n', user, '-V', '20200101:20200201');
  sign('elsewhere', '-n', 'somebody-else');
  crowded = await sshd.agent('crowded', [...crowd, sshd.at('good')]);
  plain = await sshd.start([sshd.pub('good')]);
  certificates = await sshd.start([sshd.pub('other')], `TrustedUserCAKeys ${sshd.at('ca')}.pub`);
  factors = await sshd.start(
    [sshd.pub('good')],
    'KbdInteractiveAuthentication yes',
    'UsePAM yes',
    'AuthenticationMethods publickey,keyboard-interactive',
  );
  known = sshd.known('known', plain, certificates, factors);
});

afterAll(() => {
  if (agent !== undefined) process.env.SSH_AUTH_SOCK = agent;
  sshd.stop();
});

let number = 0;
/** A configuration whose host `web` is our sshd, and options that read it. */
function configured(lines: readonly string[], more: Partial<SshOptions> = {}): SshOptions {
  const text = lines.join('\n').replaceAll('$PLAIN', String(plain)).replaceAll('$CERT', String(certificates));
  const config = sshd.write(`config-${number++}`, `${text.replaceAll('$DIR', sshd.dir)}\n`);
  return { timeoutMs: 5000, strictHostKeyChecking: 'yes', config, ...more };
}

const HOST = () => [
  'Host web',
  '  HostName 127.0.0.1',
  '  Port $PLAIN',
  `  User ${user}`,
  `  UserKnownHostsFile ${known}`,
];
const target = (port = plain) => ({ address: 'web', port, user });

function realClient(options: SshOptions): number | null {
  return spawnSync('ssh', ['-F', String(options.config), '-o', 'BatchMode=yes', 'web', 'true'], {
    timeout: 15_000,
  }).status;
}

async function login(options: SshOptions, port = plain): Promise<string> {
  const transport = await openTransport(target(port), options);
  const { kind } = transport;
  transport.close();
  const machine = await connectMachine(target(port), options);
  expect((await machine.exec(['echo', 'in'])).stdout).toBe('in\n');
  machine.close();
  return kind;
}

const refusal = (options: SshOptions, port = plain) =>
  connectMachine(target(port), options).then(
    () => 'let in',
    (error: unknown) => error,
  );

interface Case {
  readonly title: string;
  readonly kind: 'ssh2' | 'openssh';
  readonly lines: () => readonly string[];
  readonly onCertificates?: true;
}
const of = (title: string, kind: Case['kind'], lines: Case['lines'], onCertificates?: true): Case => ({
  title,
  kind,
  lines,
  ...(onCertificates && { onCertificates }),
});
const CASES: readonly Case[] = [
  of('IdentityFile', 'ssh2', () => [...HOST(), '  IdentityFile $DIR/good']),
  of('IdentitiesOnly with eight other keys in the agent', 'ssh2', () => [
    ...HOST(),
    '  IdentityFile $DIR/good',
    '  IdentitiesOnly yes',
    `  IdentityAgent ${crowded}`,
  ]),
  of('an agent key that IdentityFile names by its public half comes first', 'ssh2', () => [
    ...HOST(),
    '  IdentityFile $DIR/good.pub',
    `  IdentityAgent ${crowded}`,
  ]),
  of('IdentityAgent none', 'ssh2', () => [...HOST(), '  IdentityFile $DIR/good', '  IdentityAgent none']),
  of('HostKeyAlias', 'ssh2', () => [
    ...HOST().slice(0, 4),
    `  UserKnownHostsFile ${sshd.write('by-alias', `the-web ${sshd.pub('host')}\n`)}`,
    '  HostKeyAlias the-web',
    '  IdentityFile $DIR/good',
  ]),
  of('ProxyCommand', 'openssh', () =>
    [
      ...HOST(),
      '  IdentityFile $DIR/good',
      '  HostName 192.0.2.1',
      `  HostKeyAlias the-web`,
      `  ProxyCommand ssh -F $DIR/hop -W 127.0.0.1:$PLAIN hop`,
    ].map((line) =>
      line.replace('HostName 127.0.0.1', 'HostName 192.0.2.1').replace(known, sshd.at('by-alias')),
    ),
  ),
  of('ProxyJump', 'ssh2', () => [...HOST(), '  IdentityFile $DIR/good', '  ProxyJump hop', ...HOP()]),
  of('ProxyJump over a chain of machines', 'ssh2', () => [
    ...HOST(),
    '  IdentityFile $DIR/good',
    '  ProxyJump hop,hop2',
    ...HOP(),
    ...HOP('hop2'),
  ]),
  of('a jump machine with a jump machine of its own', 'ssh2', () => [
    ...HOST(),
    '  IdentityFile $DIR/good',
    '  ProxyJump hop',
    ...HOP(),
    '  ProxyJump hop2',
    ...HOP('hop2'),
  ]),
  of('a jump machine that needs OpenSSH', 'openssh', () => [
    ...HOST(),
    '  IdentityFile $DIR/good',
    '  ProxyJump hop',
    ...HOP(),
    '  Ciphers aes128-ctr',
  ]),
  of(
    'CertificateFile',
    'openssh',
    () =>
      [
        ...HOST(),
        '  IdentityFile $DIR/cert-user',
        '  CertificateFile $DIR/cert-user-cert.pub',
        '  Port 1',
      ].map((line) => line.replace('$PLAIN', '$CERT')),
    true,
  ),
  of(
    'a certificate beside its key',
    'openssh',
    () => [...HOST(), '  IdentityFile $DIR/cert-user'].map((line) => line.replace('$PLAIN', '$CERT')),
    true,
  ),
  of(
    'a certificate in the agent',
    'openssh',
    () => [...HOST(), '  IdentityAgent $DIR/certified'].map((line) => line.replace('$PLAIN', '$CERT')),
    true,
  ),
  of('algorithms that are asked for', 'openssh', () => [
    ...HOST(),
    '  IdentityFile $DIR/good',
    '  Ciphers aes256-ctr',
    '  MACs hmac-sha2-512',
  ]),
  of('Match exec', 'ssh2', () => [...HOST(), 'Match host 127.0.0.1 exec "true"', '  IdentityFile $DIR/good']),
  of('Match originalhost, Include and tokens', 'ssh2', () => {
    sshd.write(
      'included',
      `Match originalhost web user ${user}\n  IdentityFile "$DIR/%n/../good"\n`.replace('$DIR', sshd.dir),
    );
    return [
      'Include $DIR/included',
      ...HOST(),
      '  IdentityFile $' + '{SSHD_DIR}/goo%%d',
      '  IdentityFile $' + '{SSHD_DIR}/good',
    ];
  }),
  of('several IdentityFiles, the last of which is right', 'ssh2', () => [
    ...HOST(),
    '  IdentityFile $DIR/absent',
    '  IdentityFile $DIR/other',
    '  IdentityFile $DIR/good',
  ]),
  of('names that are made canonical', 'ssh2', () => [
    'CanonicalizeHostname yes',
    'CanonicalDomains invalid',
    'CanonicalizeFallbackLocal yes',
    ...HOST(),
    '  IdentityFile $DIR/good',
  ]),
  of('ServerAliveInterval, ConnectTimeout, AddressFamily, BindAddress', 'ssh2', () => [
    ...HOST(),
    '  IdentityFile $DIR/good',
    '  ServerAliveInterval 5',
    '  ServerAliveCountMax 2',
    '  ConnectTimeout 1m',
    '  AddressFamily inet',
    '  BindAddress 127.0.0.1',
  ]),
];

function HOP(name = 'hop'): string[] {
  const [, ...rest] = HOST();
  return [`Host ${name}`, ...rest, '  IdentityFile $DIR/good'];
}

describe('what ssh -F logs in to', () => {
  beforeAll(async () => {
    process.env.SSHD_DIR = sshd.dir;
    sshd.write('by-alias', `the-web ${sshd.pub('host')}\n`);
    sshd.write('hop', HOP().join('\n').replaceAll('$PLAIN', String(plain)).replaceAll('$DIR', sshd.dir));
    await sshd.agent('certified', [sshd.at('agent-cert')]);
  });

  test.each(CASES)('$title ($kind)', async ({ kind, lines, onCertificates }) => {
    const options = configured(lines());
    expect(realClient(options), 'the real client').toBe(0);
    expect(await login(options, onCertificates ? certificates : plain)).toBe(kind);
  });

  test('Match exec runs as often as with ssh, and not at all with --ssh-transport ssh2', async () => {
    const mark = sshd.at('ran');
    const lines = [
      ...HOST(),
      '  IdentityFile $DIR/good',
      `Match exec "touch ${mark}"`,
      '  ServerAliveInterval 5',
    ];
    expect(await login(configured(lines, { transport: 'ssh2' }))).toBe('ssh2');
    expect(existsSync(mark)).toBe(false);
    await login(configured(lines));
    expect(existsSync(mark)).toBe(true);
  });

  test('any of it by --ssh-transport openssh', async () => {
    const options = configured([...HOST(), '  IdentityFile $DIR/good', '  ProxyJump hop', ...HOP()], {
      transport: 'openssh',
    });
    expect(await login(options)).toBe('openssh');
  });

  test('a hardware key is left to OpenSSH', async () => {
    // No hardware here: the public half alone decides, and the login then fails for want of the device.
    const sk =
      'AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAcVPGpJwhLwzUmbPTvnzvM7MB6bXcKGWFVQdQ0cSCXbAAAABHNzaDo=';
    sshd.write('hw.pub', `sk-ssh-ed25519@openssh.com ${sk} hw\n`);
    sshd.write('hw', 'no key');
    const options = configured([...HOST(), '  IdentityFile $DIR/hw']);
    const { needsClient } = await import('../../../src/lib/machine/ssh/open.ts');
    expect(needsClient(target(), options)).toBe(true);
  });
});

describe('a login that is refused says why', () => {
  test('too many authentication failures', async () => {
    const options = configured([...HOST(), `  IdentityAgent $DIR/noisy`]);
    await sshd.agent(
      'noisy',
      Array.from({ length: 8 }, (_, n) => sshd.at(`crowd-${n}`)),
    );
    for (const transport of ['auto', 'openssh'] as const) {
      const error = await refusal({ ...options, transport });
      expect(error).toMatchObject({
        code: 'machine-auth',
        message: expect.stringMatching(/too many authentication failures/),
        hint: expect.stringMatching(/IdentitiesOnly yes/),
      });
    }
  });

  test('a second factor', async () => {
    const options = configured([...HOST(), '  IdentityFile $DIR/good']);
    for (const transport of ['auto', 'openssh'] as const) {
      const error = await refusal({ ...options, transport }, factors);
      expect(error).toMatchObject({
        code: 'machine-auth',
        message: expect.stringMatching(/accepts the key of .* wants keyboard-interactive, a second factor/),
        hint: expect.stringMatching(/on a terminal/),
      });
    }
  });

  test.each([
    ['expired', /the certificate .*expired-cert.pub expired at 2020-02-01/],
    ['elsewhere', /the certificate .*elsewhere-cert.pub is for somebody-else/],
  ])('a certificate: %s', async (name, message) => {
    const error = await refusal(configured([...HOST(), `  IdentityFile $DIR/${name}`]), certificates);
    expect(error).toMatchObject({ code: 'machine-auth', message: expect.stringMatching(message) });
  });

  test('a wrong key, with what works for an alias', async () => {
    const options = configured([...HOST(), '  IdentityFile $DIR/other', '  IdentitiesOnly yes']);
    for (const transport of ['auto', 'openssh'] as const) {
      const error = await refusal({ ...options, transport });
      expect(error).toMatchObject({
        code: 'machine-auth',
        message: expect.stringMatching(/machine web does not let .* in \(tried .*other/),
        hint: expect.stringContaining(`ssh -F ${options.config} web true`),
      });
    }
  });

  test.each(['auto', 'openssh'] as const)('host keys: unknown, changed, revoked (%s)', async (transport) => {
    const strange = sshd.pub('other');
    const by = (name: string, text: string) =>
      refusal(
        configured([...HOST(), '  IdentityFile $DIR/good'], {
          transport,
          knownHosts: sshd.write(name, text),
        }),
      );
    const print = execFileSync('ssh-keygen', ['-l', '-f', `${sshd.at('host')}.pub`], { encoding: 'utf8' });
    expect(await by('none', '')).toMatchObject({
      code: 'host-key-unknown',
      message: expect.stringContaining(print.split(' ')[1]!),
    });
    expect(await by('changed', `[127.0.0.1]:${plain} ${strange}\n`)).toMatchObject({
      code: 'host-key-changed',
    });
    expect(await by('revoked', `@revoked * ${sshd.pub('host')}\n`)).toMatchObject({
      code: 'host-key-changed',
      message: expect.stringMatching(/revokes/),
    });
  });

  test.each(['auto', 'openssh'] as const)(
    'a shared host key counts, and known_hosts counts more (%s)',
    async (transport) => {
      const hostKeys = [sshd.pub('host').split(' ').slice(0, 2).join(' ')];
      const options = configured([...HOST(), '  IdentityFile $DIR/good'], {
        transport,
        knownHosts: sshd.write('empty', ''),
      });
      const machine = await connectMachine({ ...target(), hostKeys }, options);
      expect((await machine.exec(['echo', 'in'])).stdout).toBe('in\n');
      machine.close();
      const against = {
        ...options,
        knownHosts: sshd.write('against', `[127.0.0.1]:${plain} ${sshd.pub('other')}\n`),
      };
      await expect(connectMachine({ ...target(), hostKeys }, against)).rejects.toMatchObject({
        code: 'host-key-changed',
      });
    },
  );

  test('a ProxyCommand that fails, and one that may not be used', async () => {
    const options = configured([...HOST(), "  ProxyCommand sh -c 'echo no way >&2; exit 1'"]);
    expect(await refusal(options)).toMatchObject({
      code: 'machine-unreachable',
      message: expect.stringMatching(/its ProxyCommand ended/),
    });
    expect(await refusal({ ...options, transport: 'ssh2' })).toMatchObject({
      code: 'ssh-client',
      message: expect.stringMatching(/config-\d+:6: ProxyCommand sh/),
    });
  });

  test('nothing listens; its name is not known', async () => {
    const options = configured([...HOST(), '  IdentityFile $DIR/good'], { transport: 'openssh' });
    expect(await refusal(options, 1)).toMatchObject({ message: expect.stringMatching(/connection refused/) });
    const nowhere = { address: 'no-such-host.invalid', port: 22, user };
    await expect(connectMachine(nowhere, options)).rejects.toMatchObject({
      code: 'machine-unreachable',
      message: expect.stringMatching(/its name is not known/),
    });
  });

  test('an unknown host key is asked about where there is somebody to ask', async () => {
    const asked: unknown[] = [];
    const askHostKey = async (key: unknown): Promise<boolean> => asked.push(key) > 1;
    const options = configured([...HOST(), '  IdentityFile $DIR/good'], {
      knownHosts: sshd.at('asked'),
      askHostKey,
    });
    expect(await refusal(options)).toMatchObject({ code: 'host-key-unknown' });
    await login(options);
    expect(asked).toHaveLength(2);
    expect(asked[0]).toMatchObject({
      address: 'web',
      type: 'ssh-ed25519',
      fingerprint: expect.stringMatching(/^SHA256:/),
    });
  });

  test('options that are not followed are named with their place', () => {
    const options = configured([
      ...HOST(),
      '  ForwardAgent yes',
      '  StrictHostKeyChecking no',
      '  LocalForward 8080 localhost:80',
      '  NoSuchOption yes',
      '  LogLevel QUIET',
      '  Ciphers aes256-ctr',
    ]);
    const said = unfollowedOptions(target(), options);
    expect(said.map((line) => line.replace(/^.*config-\d+:/, ''))).toEqual([
      '6: ForwardAgent yes is not followed: cluster ssh -A lends the agent',
      expect.stringMatching(/^7: StrictHostKeyChecking no is not followed: an unknown host key is refused/),
      '8: LocalForward 8080 localhost:80 is not followed: cluster opens no such ports',
      '9: NoSuchOption yes is not followed: cluster does not know this option',
    ]);
    expect(unfollowedOptions(target(), { ...options, transport: 'ssh2' }).at(-1)).toMatch(
      /11: Ciphers aes256-ctr is not followed with --ssh-transport ssh2$/,
    );
  });
});
