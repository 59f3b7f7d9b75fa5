import { expect, test } from 'vitest';
import { remarksAbout } from '../../../src/lib/machine/systemd/analyze.ts';
import { failureJournals, lastEntries, parseEntry } from '../../../src/lib/machine/systemd/journal.ts';

const line = (fields: object): string =>
  JSON.stringify({ __CURSOR: 'c', __REALTIME_TIMESTAMP: '1700000000000001', ...fields });
const TARGET = { address: '10.0.0.1', port: 22, user: 'root' };
const answer = (stdout: string) => ({ code: 0, signal: null, stdout, stderr: '' });

test('an entry is of the unit that it names in any field that journalctl looks at', () => {
  const units = new Set(['a.service']);
  const entry = { unit: 'a.service', text: 'x', time: 1_700_000_000_000_001, cursor: 'c' };
  expect(parseEntry(line({ _SYSTEMD_UNIT: 'a.service', MESSAGE: 'x' }), units)).toEqual(entry);
  const bySystemd = line({ _SYSTEMD_UNIT: 'init.scope', UNIT: 'a.service', MESSAGE: [120] });
  expect(parseEntry(bySystemd, units)).toEqual(entry);
  expect(parseEntry(line({ _SYSTEMD_UNIT: 'b.service', MESSAGE: 'x' }), units)).toBeNull();
  expect(parseEntry('-- Boot 1 --', units)).toBeNull();
});

test('the last lines of many units come by one command, each under its unit', async () => {
  let commands = 0;
  const entries = await lastEntries(
    async (argv) => {
      commands++;
      expect(argv.slice(3)).toEqual([
        'cluster-last-lines',
        '2',
        '-1h',
        'err',
        'a.service',
        'b.service',
        'c.service',
      ]);
      return answer(
        `${line({ MESSAGE: 'a1' })}\n${line({ MESSAGE: null })}\n\0\0${line({ MESSAGE: 'c1' })}\n\0`,
      );
    },
    TARGET,
    { units: ['a.service', 'b.service', 'c.service'], lines: 2, since: '-1h', priority: 'err' },
  );
  expect(commands).toBe(1);
  expect(entries.map(({ unit, text }) => [unit, text])).toEqual([
    ['a.service', 'a1'],
    ['a.service', ''],
    ['c.service', 'c1'],
  ]);
});

test('the journals of many runs come by one command; no run, no command', async () => {
  const runs = [
    { id: 'f00', pid: 3 },
    { id: 'ba4', pid: 0 },
  ];
  const read = await failureJournals(async (argv) => {
    expect(argv.slice(4)).toEqual(['10', 'f00:3', 'ba4:0']);
    return answer('one\n\ntwo\n\0\0');
  }, runs);
  expect(read).toEqual([['one', 'two'], []]);
  const none = failureJournals(() => Promise.reject(new Error('asked')), []);
  expect(await none).toEqual([]);
});

test('of what systemd-analyze says, lines about the unit stay, without the path of its copy', () => {
  const said = [
    '/tmp/tmp.AbC/demo@verify.service:3: Unknown key name',
    'demo@.service: Failed to create demo@verify.service/start: Unit db.service not found.',
    'ssh.service: Command /usr/sbin/sshd is not executable',
    '',
  ].join('\n');
  expect(remarksAbout(['demo@.service', 'demo@verify.service'], said)).toEqual([
    'demo@verify.service:3: Unknown key name',
  ]);
});
