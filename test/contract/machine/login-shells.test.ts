import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectMachine, type Machine } from '../../../src/lib/machine/index.ts';
import { SshServers } from '../../support/sshd.ts';

/** Real shells that read what we send and print before it; sshd hands them the command line as a login shell gets it. */
const sshd = new SshServers();
const agent = process.env.SSH_AUTH_SOCK;
const options = () => ({
  timeoutMs: 10_000,
  strictHostKeyChecking: 'accept-new' as const,
  config: null,
  identity: sshd.at('good'),
  knownHosts: sshd.at('known'),
});

/** Bytes that shells read differently: quotes, backslashes, history marks, newlines, `$`, more than ASCII. */
const ODD = 'it\'s "all" \\n \\\\ !! $HOME `id` ~ * ä€\n second line\n';

async function connected<T>(
  force: string,
  work: (machine: Machine) => Promise<T>,
  ...more: string[]
): Promise<T> {
  const port = await sshd.start(
    [sshd.pub('good')],
    ...(force === '' ? [] : [`ForceCommand ${force}`]),
    ...more,
  );
  const machine = await connectMachine({ address: '127.0.0.1', port, user: sshd.user }, options());
  try {
    return await work(machine);
  } finally {
    machine.close();
  }
}

beforeAll(() => {
  delete process.env.SSH_AUTH_SOCK;
  sshd.key('good');
  const noise = "echo 'Welcome to this machine!'\necho 'stty: not a terminal' 1>&2\n";
  sshd.write('bashrc', noise);
  sshd.write('.zshenv', noise);
  mkdirSync(sshd.at('fish'));
  sshd.write('fish/config.fish', noise);
  sshd.write('.tcshrc', "echo 'Welcome to this machine\\!'\n");
  mkdirSync(sshd.at('bin'));
  mkdirSync(sshd.at('little'));
  symlinkSync('/bin/sh', sshd.at('little/sh'));
  writeFileSync(sshd.at('bin/systemd-stdio-bridge'), '#!/bin/sh\nexec cat\n');
  chmodSync(sshd.at('bin/systemd-stdio-bridge'), 0o755);
});

afterAll(() => {
  if (agent !== undefined) process.env.SSH_AUTH_SOCK = agent;
  sshd.stop();
});

const LINE = '-c "$SSH_ORIGINAL_COMMAND"';
const SHELLS: Readonly<Record<string, () => string>> = {
  bash: () => `BASH_ENV=${sshd.at('bashrc')} bash ${LINE}`,
  zsh: () => `ZDOTDIR=${sshd.dir} zsh ${LINE}`,
  fish: () => `XDG_CONFIG_HOME=${sshd.dir} fish ${LINE}`,
  tcsh: () => `HOME=${sshd.dir} tcsh ${LINE}`,
};

describe.each(Object.entries(SHELLS))('a login shell that prints: %s', (_name, force) => {
  test('passes arguments, input, both outputs and the exit code untouched', async () => {
    await connected(force(), async (machine) => {
      const argv = ['sh', '-c', 'printf %s "$1"\ncat\nprintf %s "$1" >&2\nexit 7', 'odd', ODD];
      expect(await machine.exec(argv, { stdin: 'in' })).toEqual({
        code: 7,
        signal: null,
        stdout: `${ODD}in`,
        stderr: ODD,
      });
      let streamed = '';
      await machine.exec(['printf', '%s', ODD], { onStdout: (chunk) => (streamed += chunk.toString()) });
      expect(streamed).toBe(ODD);
    });
  });

  test('lets the bus be reached through a command', async () => {
    // What answers there is no bus but an echo: that our first words come back means that the noise was skipped.
    const env = `SetEnv PATH=${sshd.at('bin')}:/usr/bin:/bin`;
    const error = await connected(
      force(),
      (machine) => machine.statuses(['a.service']),
      env,
      'DisableForwarding yes',
    ).catch((one: unknown) => one);
    expect(error).toMatchObject({
      code: 'dbus-unavailable',
      message: expect.stringMatching(/refused the login: .*AUTH EXTERNAL/),
    });
  });
});

test('a login that runs no commands is named', async () => {
  for (const [force, message] of [
    [
      "sh -c 'echo This account is currently not available.; exit 1'",
      /runs no commands: This account is currently/,
    ],
    ['false', /runs no commands: exit status 1/],
  ] as const) {
    const error = await connected(force, (machine) => machine.facts()).catch((one: unknown) => one);
    expect(error).toMatchObject({ code: 'login-shell', message: expect.stringMatching(message), exit: 4 });
  }
});

describe('an sshd that allows little', () => {
  test('MaxSessions 1: commands run one after another, beside a bus that holds the session', async () => {
    const env = `SetEnv PATH=${sshd.at('bin')}:/usr/bin:/bin`;
    await connected(
      '',
      async (machine) => {
        const words = Array.from({ length: 4 }, (_, n) => `word-${n}`);
        const all = await Promise.all(words.map((word) => machine.exec(['echo', word])));
        expect(all.map(({ stdout }) => stdout.trim())).toEqual(words);
        writeFileSync(sshd.at('bin/systemd-stdio-bridge'), '#!/bin/sh\nexec sleep 20\n');
        const bus = machine.statuses(['a.service']).catch((error: unknown) => error);
        await new Promise((resolve) => setTimeout(resolve, 500));
        expect((await machine.exec(['echo', 'beside'])).stdout).toBe('beside\n');
        machine.close();
        expect(await bus).toMatchObject({ exit: 4 });
      },
      'MaxSessions 1',
      'DisableForwarding yes',
      env,
    );
  });

  test('MaxSessions 0 is named', async () => {
    const error = await connected('', (machine) => machine.facts(), 'MaxSessions 0').catch(
      (one: unknown) => one,
    );
    expect(error).toMatchObject({ code: 'no-session', hint: expect.stringMatching(/MaxSessions/) });
  });

  test('without forwarding and without the bridge, what is missing is named', async () => {
    const error = await connected(
      '',
      (machine) => machine.statuses(['a.service']),
      'AllowStreamLocalForwarding no',
      `SetEnv PATH=${sshd.at('little')}`,
    ).catch((one: unknown) => one);
    expect(error).toMatchObject({ code: 'dbus-unavailable' });
    expect(String((error as Error).message)).toMatch(/systemd-stdio-bridge is not installed/);
  });
});
