import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SshOptions } from '../../src/lib/machine/port.ts';
import { frame, MARK } from '../../src/lib/machine/ssh/frame.ts';
import { ownConfig } from '../../src/lib/machine/ssh/openssh/config.ts';
import { systemdScript } from '../../src/lib/machine/systemd/scripts.ts';
import { readMachine } from '../../src/lib/registry/validate.ts';
import { isHostWord, isUserWord, quote } from '../../src/lib/shell-words.ts';

describe('quote', () => {
  test.each([
    [['a', 'b c']],
    [['']],
    [["it's", '"q"', '$HOME', '`id`', '$(id)', '\\', '\\n']],
    [['*', '?', '~', '~root', '{a,b}', '<1..3>', 'x;reboot.service', '&', '|', '#', '!', 'a=b', '-n', '=']],
    [['line\nbreak', 'tab\there', 'ünïcödé 🚀', "'", "'''", "''x"]],
  ])('a real sh gives back %j', (argv) => {
    const out = execFileSync('sh', ['-c', `printf '%s\\0' ${quote(argv)}`], { encoding: 'utf8' });
    expect(out.split('\0').slice(0, -1)).toEqual(argv);
  });

  test('leaves plain words readable', () => {
    expect(quote(['systemctl', 'status', 'demo@1.service'])).toBe('systemctl status demo@1.service');
  });

  test('refuses NUL', () => {
    expect(() => quote(['a\0b'])).toThrow('NUL');
  });
});

describe('what reaches ssh', () => {
  test.each(['10.0.0.5', 'fe80::1%eth0', '2001:db8::5', 'web-1.example.com', 'alias_1'])(
    'host %s',
    (text) => {
      expect(isHostWord(text)).toBe(true);
    },
  );

  test.each(['', '-oProxyCommand=id', 'a b', 'a\nb', '$(id)', '`id`', 'a;id', 'a|id', 'a"b', "a'b", 'a\\b'])(
    'no host %j',
    (text) => {
      expect(isHostWord(text)).toBe(false);
    },
  );

  test.each(['root', 'DOMAIN\\ann', 'svc$', 'a.b@example.com'])('user %s', (text) => {
    expect(isUserWord(text)).toBe(true);
  });

  test.each(['', '-l', 'a\nb', 'a`id`', 'a;id', 'a(b)', 'root\\'])('no user %j', (text) => {
    expect(isUserWord(text)).toBe(false);
  });
});

/** Any text that an argument may be, with many of the characters that shells read. */
const word = fc.string({
  unit: fc.oneof(
    fc.constantFrom(...'\'"`$\\!*?~#&|;<>(){}[]=-\n\r\t \u001b\u202e'),
    fc.string({ minLength: 1, maxLength: 1 }),
  ),
  maxLength: 12,
});

test('a real sh gives back any argument list, as it is and in its frame', () => {
  const argv = fc.array(
    word.filter((text) => !text.includes('\0')),
    { minLength: 1, maxLength: 5 },
  );
  fc.assert(
    fc.property(argv, (words) => {
      const line = ['printf', '%s\\0', ...words];
      for (const text of [quote(line), frame(line)]) {
        const out = execFileSync('sh', ['-c', text], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        });
        const shown = out.startsWith(`${MARK}\n`) ? out.slice(MARK.length + 1) : out;
        expect(shown.split('\0').slice(0, -1)).toEqual(words);
      }
    }),
    { numRuns: 100 },
  );
});

test('the constant scripts take any words as words: a program of theirs gets what was given', () => {
  const dir = mkdtempSync(join(tmpdir(), 'cluster-test-'));
  try {
    // Stands in for journalctl and systemd-analyze: writes down its arguments.
    const program = `#!/bin/sh\nfor a; do printf '%s\\0' "$a"; done >>'${dir}/said'\n`;
    for (const name of ['journalctl', 'systemd-analyze'])
      writeFileSync(join(dir, name), program, { mode: 0o755 });
    const env = { PATH: `${dir}:${process.env.PATH}` };
    const unit = word.filter((text) => !/[\0/]/.test(text));
    fc.assert(
      fc.property(unit, (name) => {
        writeFileSync(join(dir, 'said'), '');
        const [command = '', ...args] = systemdScript('last-lines', '5', name, name, name);
        execFileSync(command, args, { env });
        const said = readFileSync(join(dir, 'said'), 'utf8').split('\0');
        if (name !== '')
          expect(said).toEqual(expect.arrayContaining([`--since=${name}`, `--priority=${name}`]));
        expect(readFileSync(join(dir, 'said'), 'utf8').split('\0')).toContain(`--unit=${name}`);
      }),
      { numRuns: 60 },
    );
    const said = execFileSync(
      'sh',
      ['-c', quote(systemdScript('verify', '-x;id.service', '-x;id.service'))],
      {
        env,
        input: '[Service]\n',
        encoding: 'utf8',
      },
    );
    expect(said).toBe('');
    expect(readFileSync(join(dir, 'said'), 'utf8')).toMatch(/\/-x;id\.service\0$/);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('nothing from a registry adds an option to the configuration that ssh reads', () => {
  const options = { timeoutMs: 1, strictHostKeyChecking: 'yes' } as unknown as SshOptions;
  const target = { address: 'a', port: 22, user: 'root' };
  const evil = 'x"\n  ProxyCommand touch pwned\n#';
  const rest = {
    options,
    connectSeconds: 1,
    asks: false,
    globalKeys: [],
    acceptNew: false,
    keepAlive: null,
  };
  for (const more of [{ knownHosts: evil }, { identity: evil }])
    expect(() => ownConfig({ ...rest, target: { ...target, ...more } })).toThrow('cannot stand in');
  for (const more of [
    { knownHosts: evil },
    { identity: evil },
    { user: evil },
    { address: evil },
    { port: 0 },
  ])
    expect(() =>
      readMachine({ v: 1, id: 'm', target: { ...target, ...more }, facts: {}, metadata: {} }, 'm'),
    ).toThrow('target.');
});
