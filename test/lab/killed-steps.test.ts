import { expect } from 'vitest';
import { loadConfig } from '../../src/lib/config/index.ts';
import type { Session } from '../../src/lib/control/session.ts';
import { destroy } from '../../src/lib/control/units/destroy.ts';
import { reconcile } from '../../src/lib/control/units/reconcile.ts';
import { start } from '../../src/lib/control/units/start.ts';
import type { Workplace } from '../support/cli.ts';
import { Death, DyingSession, Killed, mayRemove } from '../support/dying.ts';
import { real, withRealLab } from '../support/real.ts';

const WAIT = { block: true, attempts: 0, differing: 'refuse' as const };
const UNIT = 'kill.service';
const FILE =
  '[Unit]\nDescription=killed\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n';
let at: Workplace;
let path: string;

withRealLab('killed', ['--machines', '1'], async (made) => {
  at = made;
  path = await at.file(UNIT, FILE);
});

async function run(what: (session: Session) => Promise<unknown>, death = new Death()): Promise<unknown> {
  const config = await loadConfig({
    flags: {},
    env: { ...at.env, CLUSTER_MIN_HEALTHY: '0' },
    cwd: at.dir,
    home: at.dir,
  });
  const session = new DyingSession({ config, emit: () => undefined }, death);
  try {
    return await what(session);
  } catch (error) {
    if (error instanceof Killed) return error;
    throw error;
  } finally {
    await session.close();
  }
}

/** What systemd on the machine says of the unit, and what is left of our notes about it. */
async function found(): Promise<{ load: string; active: string; enabled: boolean; notes: string[] }> {
  let stdout = '';
  await run(async (session) => {
    const [record] = (await session.state()).machines.values();
    const script = `systemctl show -p LoadState,ActiveState --value ${UNIT}
ls /etc/systemd/system/multi-user.target.wants /etc/systemd/system/cluster.target.wants /etc/cluster/units /etc/cluster/unsettled`;
    ({ stdout } = await (await session.machine(record!)).exec(['sh', '-c', script]));
  });
  const [load = '', active = '', ...rest] = stdout.split('\n').filter((line) => line !== '');
  const text = rest.join('\n');
  const notes = rest.filter((line) => line === UNIT || /^[0-9a-f]{16}$/.test(line));
  return { load, active, enabled: text.split(UNIT).length - 1 === 3, notes };
}

const begin = (session: Session) => start(session, [path], 'launched', WAIT);
const end = (session: Session) => destroy(session, [UNIT], WAIT);

real.each([
  ['start', begin, end, { load: 'loaded', active: 'active', enabled: true, notes: [UNIT, UNIT, UNIT] }],
  ['destroy', end, begin, { load: 'not-found', active: 'inactive', enabled: false, notes: [] }],
] as const)(
  '%s, killed between any two steps, on the real systemd: one reconcile heals it',
  async (name, verb, back, wanted) => {
    for (let after = 0; ; after++) {
      if (after > 0 || name === 'destroy') await run(back).catch(() => undefined);
      const death = new Death(after);
      const ended = await run(verb, death);
      await run((session) => reconcile(session, undefined, { dryRun: false, mayRemove }));
      expect(await found(), `killed before effect ${after}`).toEqual(wanted);
      await run(async (session) =>
        expect(await reconcile(session, undefined, { dryRun: true, mayRemove })).toMatchObject({
          steps: [],
          failures: [],
        }),
      );
      if (!(ended instanceof Killed)) {
        expect(death.passed).toBeGreaterThanOrEqual(5);
        return;
      }
    }
  },
  300_000,
);

const RUN = '[Service]\nType=exec\nExecStart=/bin/sleep infinity\n';

real('why a unit is down, by the real systemd; a condition that is not met is left to a person', async () => {
  await at.file('cond.service', `[Unit]\nConditionPathExists=/run/flag\n${RUN}`);
  await at.file('base.service', RUN);
  await at.file('hang.service', `[Unit]\nRequires=base.service\nAfter=base.service\n${RUN}`);
  await at.file(
    'loop.service',
    '[Service]\nExecStart=/bin/sh -c "exit 3"\nRestart=on-failure\nRestartSec=10ms\n',
  );
  const skipped = await at.run('start', 'cond.service');
  expect(skipped.stderr).toMatch(
    /cond\.service is not started on .*: its condition was not met: ConditionPathExists=\/run\/flag/,
  );
  await at.ok('start', 'base.service', 'hang.service');
  await at.run('start', 'loop.service');
  await run(async (session) => {
    const [record] = (await session.state()).machines.values();
    await (await session.machine(record!)).exec([
      'sh',
      '-c',
      'systemctl stop base; systemctl start base; sleep 1',
    ]);
  });
  const rows = JSON.parse((await at.run('list-units', '--json')).stdout) as {
    unit: string;
    active: string;
    why?: string;
  }[];
  const why = new Map(rows.map((row) => [row.unit, `${row.active}: ${row.why}`]));
  expect(why.get('cond.service')).toBe('inactive: its condition was not met: ConditionPathExists=/run/flag');
  expect(why.get('hang.service')).toBe('inactive: it was stopped together with base.service');
  expect(why.get('loop.service')).toMatch(/^failed: exit status 3, after \d restarts$/);
  expect((await at.run('status', 'hang')).stdout).toContain(
    'Why: it was stopped together with base.service\n',
  );
  await at.ok('destroy', 'loop.service');

  const first = await at.ok('reconcile');
  expect(first.stdout).toContain('Unit hang.service launched');
  const second = await at.ok('reconcile');
  expect(second.stdout).toBe('Nothing to do.\n');
  expect(second.stderr).toContain('cluster start cond.service tries again');
});

real('journal: since, priority and JSON by the real journalctl', async () => {
  await at.file(
    'say.service',
    '[Service]\nType=oneshot\nExecStart=/bin/sh -c \'echo plain; echo "<3>bad"\'\n',
  );
  await at.ok('start', 'say.service');
  const lines = async (...args: string[]) =>
    (await at.ok('journal', '--json', ...args, 'say')).stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { text: string }).text);
  expect(await lines('--since', '10m')).toEqual(expect.arrayContaining(['plain', 'bad']));
  expect(await lines('-p', 'err')).toEqual(['bad']);
  expect(await lines('--since', '2999-01-01')).toEqual([]);
  const bad = await at.run('journal', '--json', '--since', 'nonsense', 'say');
  expect(bad.code).toBe(1);
  expect(bad.stdout + bad.stderr).toContain('journalctl: Failed to parse timestamp: nonsense');
  expect((await at.ok('journal', '--since', '10m', '-p', 'err', '-o', 'cat', 'say')).stdout).toBe('bad\n');
});
