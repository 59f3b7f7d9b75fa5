import { expect, test } from 'vitest';
import { splitRemote } from '../../src/flags.ts';

const FLAGS = {
  machine: { type: 'option' },
  endpoint: { type: 'option' },
  json: { type: 'boolean' },
  'forward-agent': { type: 'boolean', char: 'A' },
};
const split = (...argv: string[]) =>
  splitRemote(argv, FLAGS, (own) => (own.some((word) => /^--machine(=|$)/.test(word)) ? 0 : 1));

test.each([
  [['web'], ['web'], null],
  [['web', 'uptime | wc -l'], ['web'], 'uptime | wc -l'],
  [['web', 'ls', '-la', '--json'], ['web'], 'ls -la --json'],
  [['web', '--', 'ls', '-la'], ['web'], 'ls -la'],
  [['web', 'sh', '--', 'x'], ['web'], 'sh -- x'],
  [['-A', 'web', 'ls'], ['-A', 'web'], 'ls'],
  [['web', '-A', 'ls', '-A'], ['web', '-A'], 'ls -A'],
  [['--endpoint', 'http://a:1', 'web', 'ls'], ['--endpoint', 'http://a:1', 'web'], 'ls'],
  [['--endpoint=http://a:1', 'web', '--', '-x'], ['--endpoint=http://a:1', 'web'], '-x'],
  [['--machine', 'web', 'ls', '-l'], ['--machine', 'web'], 'ls -l'],
  [['--machine=web'], ['--machine=web'], null],
  [['--', 'web', 'ls'], ['web'], 'ls'],
  [[], [], null],
])('%j', (argv, own, command) => {
  expect(split(...argv)).toEqual({ own, command });
});
