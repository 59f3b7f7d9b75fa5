import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { quote } from '../../src/lib/shell-words.ts';

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
