import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectMachine, type MachineTarget, type SshOptions } from '../../src/lib/machine/index.ts';
import { freePort, listening } from '../support/port.ts';

/** A real sshd on loopback; what is hollow here is that no systemd stands behind it. */
const dir = mkdtempSync(join(tmpdir(), 'ssh-faults-'));
const at = (name: string) => join(dir, name);
const user = userInfo().username;
const started: ChildProcess[] = [];
const agent = process.env.SSH_AUTH_SOCK;
let port = 0;
let second = 0;

function keygen(name: string, passphrase = ''): void {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-C', '', '-f', at(name)]);
}
const pub = (name: string) => readFileSync(at(`${name}.pub`), 'utf8').trim();

async function sshd(hostKey: string): Promise<number> {
  const listen = await freePort();
  const config = at(`sshd-${listen}`);
  writeFileSync(
    config,
    `Port ${listen}\nListenAddress 127.0.0.1\nHostKey ${at(hostKey)}\nAuthorizedKeysFile ${at('authorized')}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\nPermitRootLogin yes\n`,
  );
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  started.push(child);
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on('data', (text: Buffer) => {
      if (text.includes('Server listening')) resolve();
    });
    child.once('exit', () => reject(new Error('sshd did not start')));
  });
  return listen;
}

const options = (more: Partial<SshOptions> = {}): SshOptions => ({
  timeoutMs: 3000,
  strictHostKeyChecking: 'yes',
  config: null,
  identity: at('good'),
  knownHosts: at('known'),
  ...more,
});
const target = (more: Partial<MachineTarget> = {}): MachineTarget => ({
  address: '127.0.0.1',
  port,
  user,
  ...more,
});
const refused = (code: string, message = /./) =>
  expect.objectContaining({
    code,
    exit: 4,
    message: expect.stringMatching(message),
    place: { machine: '127.0.0.1' },
  });

async function say(to: MachineTarget, how: SshOptions): Promise<string> {
  const machine = await connectMachine(to, how);
  try {
    return (await machine.exec(['printf', '%s', "it's $HOME"])).stdout;
  } finally {
    machine.close();
  }
}

beforeAll(async () => {
  // An agent of whoever runs the tests would let wrong keys in.
  delete process.env.SSH_AUTH_SOCK;
  mkdirSync('/run/sshd', { recursive: true });
  for (const name of ['host', 'host2', 'good', 'wrong']) keygen(name);
  keygen('locked', 'open sesame');
  writeFileSync(at('authorized'), `${pub('good')}\n${pub('locked')}\n`);
  port = await sshd('host');
  second = await sshd('host2');
  writeFileSync(at('known'), `[127.0.0.1]:${port} ${pub('host')}\n[127.0.0.1]:${second} ${pub('host2')}\n`);
});

afterAll(() => {
  if (agent !== undefined) process.env.SSH_AUTH_SOCK = agent;
  for (const child of started) child.kill();
  rmSync(dir, { recursive: true, force: true });
});

describe('a connection to a real sshd', () => {
  test('logs in and passes arguments untouched', async () => {
    expect(await say(target(), options())).toBe("it's $HOME");
  });

  test('passes stdin, exit code and signal', async () => {
    const machine = await connectMachine(target(), options());
    expect(await machine.exec(['cat'], { stdin: 'in' })).toMatchObject({ code: 0, stdout: 'in' });
    expect(await machine.exec(['sh', '-c', 'echo no >&2; exit 7'])).toMatchObject({
      code: 7,
      stderr: 'no\n',
    });
    expect(await machine.exec(['sh', '-c', 'kill -9 $$'])).toMatchObject({ code: 137, signal: 'SIGKILL' });
    machine.close();
  });

  test('runs more commands at once than sshd has sessions', async () => {
    const machine = await connectMachine(target(), options());
    const results = await Promise.all(
      Array.from({ length: 25 }, (_, n) => machine.exec(['echo', String(n)])),
    );
    expect(results.map((one) => one.stdout.trim())).toEqual(Array.from({ length: 25 }, (_, n) => String(n)));
    machine.close();
  });

  test('refuses an unknown host key, with its fingerprint', async () => {
    await expect(say(target(), options({ knownHosts: at('none') }))).rejects.toEqual(
      refused('host-key-unknown', /SHA256:/),
    );
  });

  test('accepts a new key only when told to, and then knows it', async () => {
    const knownHosts = at('fresh');
    await say(target(), options({ knownHosts, strictHostKeyChecking: 'accept-new' }));
    expect(statSync(knownHosts).mode & 0o777).toBe(0o600);
    expect(await say(target(), options({ knownHosts }))).toBe("it's $HOME");
  });

  test.each(['yes', 'accept-new'] as const)(
    'refuses a changed host key with both fingerprints (%s)',
    async (strict) => {
      const file = at(`changed-${strict}`);
      writeFileSync(file, `[127.0.0.1]:${port} ${pub('host2')}\n`);
      const print = (name: string) =>
        execFileSync('ssh-keygen', ['-l', '-f', at(`${name}.pub`)], { encoding: 'utf8' }).split(' ')[1]!;
      const error = await say(target(), options({ knownHosts: file, strictHostKeyChecking: strict })).catch(
        (one) => one,
      );
      expect(error).toEqual(refused('host-key-changed'));
      expect(error.message).toContain(print('host'));
      expect(error.message).toContain(print('host2'));
    },
  );

  test('refuses a revoked host key', async () => {
    writeFileSync(at('revoked'), `@revoked * ${pub('host')}\n[127.0.0.1]:${port} ${pub('host')}\n`);
    await expect(say(target(), options({ knownHosts: at('revoked') }))).rejects.toEqual(
      refused('host-key-changed', /revokes/),
    );
  });

  test('says which keys were tried when none is accepted', async () => {
    await expect(say(target(), options({ identity: at('wrong') }))).rejects.toEqual(
      refused('machine-auth', /wrong/),
    );
  });

  test('says that the key that was named is none', async () => {
    await expect(say(target(), options({ identity: at('absent') }))).rejects.toEqual(
      refused('machine-auth', /absent, which is no private key/),
    );
  });

  test('asks once for a passphrase, again when it was wrong', async () => {
    const asked: string[] = [];
    const askPassphrase = async (file: string) => {
      asked.push(file);
      return asked.length === 1 ? 'no' : 'open sesame';
    };
    const how = options({ identity: at('locked'), askPassphrase });
    await Promise.all([say(target(), how), say(target(), how)]);
    expect(asked).toEqual([at('locked'), at('locked')]);
  });

  test('says that a key needs a passphrase where nobody can be asked', async () => {
    const error = await say(target(), options({ identity: at('locked') })).catch((one) => one);
    expect(error).toEqual(refused('machine-auth'));
    expect(error.hint).toContain('ssh-add');
  });

  test('goes through a jump machine', async () => {
    writeFileSync(
      at('config'),
      `Host inner\n  HostName 127.0.0.1\n  ProxyJump ${user}@127.0.0.1:${second}\n`,
    );
    expect(await say(target({ address: 'inner' }), options({ config: at('config') }))).toBe("it's $HOME");
    const broken = options({ config: at('config'), knownHosts: at('fresh') });
    const error = await say(target({ address: 'inner' }), broken).catch((one) => one);
    expect(error).toMatchObject({ code: 'host-key-unknown', place: { machine: 'inner' } });
    expect(error.message).toContain('on the way to inner');
  });

  test('reports what does not listen, and what listens but is silent', async () => {
    await expect(say(target({ port: await freePort() }), options())).rejects.toEqual(
      refused('machine-unreachable', /refused/),
    );
    const silent = createServer(() => undefined);
    const mute = await listening(silent);
    await expect(say(target({ port: mute }), options({ timeoutMs: 300 }))).rejects.toEqual(
      refused('machine-unreachable', /no answer within 0.3 s/),
    );
    silent.close();
  });

  test('tries once more when sshd hangs up before it speaks', async () => {
    let calls = 0;
    const rude = createServer((socket) => {
      calls++;
      socket.destroy();
    });
    const there = await listening(rude);
    await expect(say(target({ port: there }), options())).rejects.toEqual(refused('machine-unreachable'));
    expect(calls).toBe(2);
    rude.close();
  });

  test('opens TCP streams, and says what cannot be reached', async () => {
    const machine = await connectMachine(target(), options());
    const stream = await machine.forward({ host: '127.0.0.1', port: second });
    const hello = await new Promise((resolve) => stream.once('data', (data) => resolve(String(data))));
    expect(hello).toMatch(/^SSH-2.0-OpenSSH/);
    await expect(machine.forward({ path: '/no/such.sock' })).rejects.toMatchObject({
      code: 'machine-forward',
    });
    machine.close();
  });

  test('ends what is running when the connection goes away', async () => {
    const machine = await connectMachine(target(), options());
    const running = machine.exec(['sleep', '100']);
    setTimeout(() => machine.close(), 50);
    await expect(running).rejects.toEqual(refused('machine-unreachable', /lost/));
    await expect(machine.exec(['true'])).rejects.toEqual(refused('machine-unreachable'));
  });
});
