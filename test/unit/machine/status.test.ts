import { describe, expect, test } from 'vitest';
import { batches } from '../../../src/lib/machine/systemd/commands.ts';
import { splitReports, unitReports } from '../../../src/lib/machine/systemd/status.ts';

const RUNS = `● a@1.service - A, instance 1
     Loaded: loaded (/etc/systemd/system/a@.service; enabled; preset: enabled)
     Active: active (running) since Mon 2026-11-23 11:29:20 UTC; 2 days ago
   Main PID: 311 (sleep)
      Tasks: 1 (limit: 1000)
     CGroup: /system.slice/a@1.service
             └─311 sleep infinity

Nov 23 11:29:20 m systemd[1]: Started a@1.service - A, instance 1.
Nov 23 11:29:20 m sh[311]: two lines, of which
                           ● b.service - looks like a heading
`;
const FAILED = `× b.service - B
     Loaded: loaded (/etc/systemd/system/b.service; static)
     Active: failed (Result: exit-code) since Mon 2026-11-23 11:29:20 UTC; 2 days ago
    Process: 312 ExecStart=/bin/false (code=exited, status=1/FAILURE)
`;
const ALIAS = `○ real.service
     Loaded: loaded (/etc/systemd/system/real.service; static)
     Active: inactive (dead)
`;
const answer = (stdout: string, stderr = '', code = 3) => ({ code, signal: null, stdout, stderr });

describe('splitReports', () => {
  test('gives each unit its own text and exit code', () => {
    const all = answer([RUNS, FAILED, ALIAS].join('\n'));
    expect(splitReports(['a@1.service', 'b.service', 'alias.service'], all)).toEqual([
      { unit: 'a@1.service', code: 0, text: RUNS },
      { unit: 'b.service', code: 3, text: FAILED },
      { unit: 'alias.service', code: 3, text: ALIAS },
    ]);
  });

  test('a unit that systemd does not know is between others, and remarks go to the unit that they name', () => {
    const missing = 'Unit gone.service could not be found.\n';
    const changed =
      "Warning: The unit file, source configuration file or drop-ins of b.service changed on disk. Run 'systemctl daemon-reload' to reload units.\n";
    const all = answer([RUNS, FAILED].join('\n'), missing + changed);
    expect(splitReports(['a@1.service', 'gone.service', 'b.service'], all)).toEqual([
      { unit: 'a@1.service', code: 0, text: RUNS },
      { unit: 'gone.service', code: 4, text: missing },
      { unit: 'b.service', code: 3, text: FAILED + changed },
    ]);
  });

  test('one unit alone is told as systemctl does', () => {
    const one = answer('anything', 'at all', 7);
    expect(splitReports(['a.service'], one)).toEqual([
      { unit: 'a.service', code: 7, text: 'anythingat all' },
    ]);
  });

  test('when systemctl does not work, each unit has the reason', () => {
    const broken = answer('', 'Failed to connect to bus: No such file or directory\n', 1);
    const [first, second] = splitReports(['a.service', 'b.service'], broken);
    expect(first).toEqual({ unit: 'a.service', code: 1, text: broken.stderr });
    expect(second).toEqual({ unit: 'b.service', code: 1, text: broken.stderr });
  });
});

describe('unitReports', () => {
  test('asks for many units by one command, and for a template by one of its own', async () => {
    const asked: (readonly string[])[] = [];
    const units = ['a@1.service', 't@.service', 'b.service'];
    const reports = await unitReports(async (argv) => {
      asked.push(argv.slice(argv.indexOf('--') + 1));
      const template = argv.includes('t@.service');
      return template ? answer('', 'Failed to get properties\n', 1) : answer(`${RUNS}\n${FAILED}`);
    }, units);
    expect(asked).toEqual([['a@1.service', 'b.service'], ['t@.service']]);
    expect(reports.map(({ unit, code }) => [unit, code])).toEqual([
      ['a@1.service', 0],
      ['t@.service', 1],
      ['b.service', 3],
    ]);
  });
});

test('batches are short enough and lose nothing', () => {
  const words = ['aaa', 'bb', 'cccccccc', 'd', 'e'];
  expect(batches(words, 8)).toEqual([['aaa', 'bb'], ['cccccccc'], ['d', 'e']]);
  expect(batches([])).toEqual([]);
});
