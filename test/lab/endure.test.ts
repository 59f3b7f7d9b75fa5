import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { quote } from '../../src/lib/shell-words.ts';
import type { Ran, Workplace } from '../support/cli.ts';
import { machinesOf, real, withRealLab } from '../support/real.ts';

const NAME = 'endure';
let at: Workplace;
let ids: string[];
const first = (): string => ids[0] ?? '';

/** What a shell on the first machine prints. */
async function there(script: string, ...args: string[]): Promise<string> {
  return (await at.ok('ssh', '--machine', first(), '--', quote(['sh', '-c', script, 'test', ...args])))
    .stdout;
}

async function states(): Promise<Record<string, string>> {
  const rows = JSON.parse((await at.ok('list-units', '--json')).stdout) as { unit: string; active: string }[];
  return Object.fromEntries(rows.map(({ unit, active }) => [unit, active]));
}

/** Runs a command, sends it what Ctrl-C sends `afterMs` after it printed such, and tells how it ended. */
async function interrupted(args: readonly string[], printed: RegExp, afterMs: number): Promise<Ran> {
  const { child, log, ran } = at.start(...args);
  const seen = new Promise<void>((resolve) => {
    child.stdout.on('data', () => printed.test(log()) && resolve());
  });
  await Promise.race([seen, ran]);
  await Promise.race([sleep(afterMs), ran]);
  child.kill('SIGINT');
  return ran;
}

withRealLab(NAME, ['--machines', '2'], async (made) => {
  at = made;
  ids = (await machinesOf(at, NAME)).map(({ id }) => id);
  const here = `[X-Fleet]\nMachineID=${first()}\n`;
  await at.file('sleepy@.service', '[Service]\nExecStartPre=/bin/sleep 1\nExecStart=/bin/sleep infinity\n');
  await at.file('small.service', `[Service]\nExecStart=/bin/sleep infinity\n${here}`);
  await at.file(
    'big.service',
    `[Service]\nExecStart=/bin/sleep infinity\n${here}${`# ${'x'.repeat(78)}\n`.repeat(1000)}`,
  );
  await at.file(
    'slow.service',
    `[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 60\n${here}`,
  );
  await at.file('linger.service', `[Service]\nExecStart=/bin/sleep infinity\nExecStop=/bin/sleep 5\n${here}`);
});

real(
  'a full disk is one clear line, leaves nothing half-written, and reconcile makes it so later',
  async () => {
    const listing =
      'find /etc/systemd/system /etc/cluster ! -type d | sort | xargs ls -ld --time-style=+; sha256sum /etc/systemd/system/*.service /etc/cluster/units/*';
    await at.ok('start', 'small.service');
    await there(
      'mkdir /run/full && mount -t tmpfs -o size=128k full /run/full && cp -a /etc/systemd/system/. /run/full && mount --bind /run/full /etc/systemd/system; dd if=/dev/zero of=/run/full/filler bs=4k 2>/dev/null; true',
    );
    const before = await there(listing);
    const ran = await at.run('start', 'big.service');
    expect(ran.stderr).toMatch(
      /^Error: .*no space left for unit files on .*\(big\.service\)\n {2}try: .*\n$/,
    );
    expect(ran.code).toBe(1);
    expect(await there(listing)).toBe(before);
    expect(await states()).toMatchObject({ 'small.service': 'active', 'big.service': 'inactive' });
    expect((await at.run('reconcile')).code).toBe(1);
    expect(await there(listing)).toBe(before);

    await there('umount /etc/systemd/system && umount /run/full && rmdir /run/full');
    await at.ok('reconcile');
    expect(await states()).toMatchObject({ 'small.service': 'active', 'big.service': 'active' });
    expect((await at.ok('reconcile', '--dry-run')).stdout).toBe('Nothing to do.\n');
    await at.ok('destroy', 'small.service', 'big.service');
  },
);

real('Ctrl-C amid a start of many: exit 130, one line, and reconcile finishes it', async () => {
  const ran = await interrupted(['start', 'sleepy@<1..20>.service'], /Unit sleepy@20\.service inactive/, 150);
  expect(ran.code).toBe(130);
  expect(ran.stderr).toBe('Interrupted; cluster reconcile finishes what was begun\n');
  expect(ran.stdout).not.toContain('launched');
  await at.ok('reconcile');
  expect((await at.ok('reconcile', '--dry-run')).stdout).toBe('Nothing to do.\n');
  await expect
    .poll(async () => Object.values(await states()), { timeout: 10_000 })
    .toEqual(Array(20).fill('active'));
});

real('journal --follow tells of many units, each line once; Ctrl-C ends it: exit 130, one line', async () => {
  const twice = (n: number): RegExp => new RegExp(`(.*Started sleepy@${n}\\.service[^]*){2}`);
  const following = interrupted(['journal', '--follow', 'sleepy@*'], twice(20), 1000);
  await sleep(1000);
  await at.ok('restart', 'sleepy@*');
  const ran = await following;
  expect(ran.code).toBe(130);
  expect(ran.stderr).toBe('Interrupted\n');
  for (let n = 1; n <= 20; n++)
    expect(ran.stdout.match(new RegExp(`Started sleepy@${n}\\.service`, 'g')), ran.stdout).toHaveLength(2);
  await at.ok('destroy', 'sleepy@*');
  expect(await there('pgrep -a journalctl || :')).toBe('');
});

real(
  '--no-block queues the jobs and returns; --block-attempts gives up after so many times 2 s',
  async () => {
    const started = await at.ok('start', '--no-block', 'slow.service', 'linger.service');
    expect(started.stdout).toMatch(/^Triggered unit slow\.service start$/m);
    expect(await states()).toMatchObject({ 'slow.service': 'activating', 'linger.service': 'active' });
    expect((await at.ok('reconcile', '--dry-run')).stdout).toBe('Nothing to do.\n');

    const stopped = await at.ok('stop', '--no-block', 'linger.service');
    expect(stopped).toMatchObject({ code: 0, stdout: 'Triggered unit linger.service stop\n' });
    expect(await states()).toMatchObject({ 'linger.service': 'deactivating' });
    await at.ok('stop', 'slow.service');

    for (const verb of ['start', 'restart']) {
      const before = Date.now();
      const ran = await at.run(verb, '--block-attempts', '1', 'slow.service');
      expect(ran.stderr).toMatch(
        /^Error: .*timed out waiting for unit slow\.service after 2 s.*\n {2}try: .*\n$/,
      );
      expect(ran.code).toBe(1);
      expect(Date.now() - before).toBeGreaterThan(1900);
      expect(Date.now() - before).toBeLessThan(10_000);
      expect(await states()).toMatchObject({ 'slow.service': 'activating' });
    }
    await at.ok('destroy', 'slow.service', 'linger.service');
  },
);

/** Every specifier that systemd 252 documents. */
const LETTERS = [...'aAbBCdEfgGhHiIjJlLmMnNopPqsStTuUvVwWyY'];

real('every specifier is rendered as systemd itself fills it in', async () => {
  const unit = 'spec-two\\x2dx@in-st\\x2da.service';
  const environment = [...LETTERS.map((letter) => `V_${letter}=<%${letter}>`), 'V_percent=<100%% %%n>'];
  await at.file(
    'spec-two\\x2dx@.service',
    `[Service]\n${environment.map((item) => `Environment="${item}"\n`).join('')}ExecStart=/bin/sleep infinity\n[X-Fleet]\nMachineID=${first()}\n`,
  );
  await there(
    `rm /etc/os-release; { cat /usr/lib/os-release; printf "BUILD_ID='b.1'\\nIMAGE_ID=\\"img\\"\\nIMAGE_VERSION=7\\nVARIANT_ID=server\\n"; } >/etc/os-release; echo 'PRETTY_HOSTNAME="My Box"' >/etc/machine-info; systemctl daemon-reload`,
  );
  await at.ok('start', unit);
  const theirs = await there(
    'tr "\\0" "\\n" <"/proc/$(systemctl show -P MainPID "$1")/environ" | grep ^V_',
    unit,
  );
  const rendered = (await at.ok('cat', '--render', '--machine', first(), unit)).stdout;
  const ours = [...rendered.matchAll(/^Environment="(.*)"$/gm)].map(([, item]) => item);
  expect(ours).toHaveLength(LETTERS.length + 1);
  expect([...ours].sort()).toEqual(theirs.trimEnd().split('\n').sort());
  await there('ln -sf ../usr/lib/os-release /etc/os-release; rm /etc/machine-info');
  await at.ok('destroy', unit);
});

real('a comment inside a continued value is left out, as systemd reads it', async () => {
  await at.file(
    'continued.service',
    `[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/echo heard: a \\\n# note\n  ; another \\\n b \\\n# more\n--c=d\n[X-Fleet]\nMachineID=${first()}\n`,
  );
  await at.ok('start', 'continued.service');
  expect((await at.ok('journal', 'continued.service', '--output', 'cat')).stdout).toMatch(
    /^heard: a b --c=d$/m,
  );
  await at.ok('destroy', 'continued.service');
});
