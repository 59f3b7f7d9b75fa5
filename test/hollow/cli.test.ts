import { describe, expect, test } from 'vitest';
import type { Workplace } from '../support/cli.ts';
import { withLab } from '../support/lab.ts';

const SLEEP = '[Service]\nExecStart=/bin/sleep infinity\n';
let at: Workplace;

/** Columns of a list without header, row by row. */
async function rows(...args: string[]): Promise<string[][]> {
  const { stdout } = await at.run(...args, '--no-legend');
  return stdout
    .trimEnd()
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(/\s+/));
}

withLab('cli', ['--hollow', '3'], async (made, up) => {
  at = made;
  expect(up.stderr).toBe('');
  await at.file('hello.service', SLEEP);
  await at.file(
    'demo@.service',
    `[Service]\nEnvironment=CONTAINER=demo\nExecStart=/bin/sleep infinity\n[X-Fleet]\nConflicts=\${CONTAINER}@*.service\n`,
  );
  await at.file('side@.service', `${SLEEP}[X-Fleet]\nMachineOf=demo@%i.service\n`);
  await at.file('all.service', `${SLEEP}[X-Fleet]\nGlobal=true\n`);
  await at.file('bad.service', '[Service]\nExecStart=/bin/false\n');
  await at.file('nowhere.service', `${SLEEP}[X-Fleet]\nMachineMetadata=rack=nowhere\n`);
});

describe('the life of units, on hollow machines', () => {
  test('three machines are listed', async () => {
    expect(await rows('list-machines')).toHaveLength(3);
  });

  test("start spreads instances by Conflicts, in fleet's words", async () => {
    const ran = await at.run('start', 'demo@<1..3>.service');
    expect(ran.stderr).toBe('');
    expect(ran.code).toBe(0);
    expect(ran.stdout).toMatch(/^Unit demo@1\.service inactive$/m);
    expect(ran.stdout).toMatch(/^Unit demo@1\.service launched on [0-9a-f]{8}\.\.\.\/127\.0\.0\.1$/m);
    const list = await rows('list-units');
    expect(list.map(([unit]) => unit)).toEqual(['demo@1.service', 'demo@2.service', 'demo@3.service']);
    expect(new Set(list.map(([, machine]) => machine)).size).toBe(3);
    expect(list.every(([, , active, sub]) => active === 'active' && sub === 'running')).toBe(true);
  });

  test('the same again finds nothing to do', async () => {
    expect(await at.run('start', 'demo@<1..3>.service')).toEqual({ code: 0, stdout: '', stderr: '' });
    const dry = await at.run('reconcile', '--dry-run');
    expect(dry).toEqual({ code: 0, stdout: 'Nothing to do.\n', stderr: '' });
  });

  test('a fourth is refused with the rule for each machine, and the rest goes on', async () => {
    const ran = await at.run('start', 'demo@4.service', 'hello.service');
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/unit demo@4\.service cannot be placed on any of 3 machines/);
    expect(ran.stderr.match(/conflicts: /g)).toHaveLength(3);
    expect(ran.stderr).toContain(
      'the request stays, and it is placed as soon as a machine fits; withdraw it with',
    );
    expect(ran.stdout).toMatch(/Unit hello\.service launched/);
    expect((await at.run('destroy', 'demo@4.service')).code).toBe(0);
  });

  test('a request that is refused is withdrawn where that was asked for', async () => {
    for (const verb of ['start', 'load']) {
      const ran = await at.run(verb, '--or-forget', 'demo@4.service');
      expect(ran.code).toBe(1);
      expect(ran.stderr).toContain('the request is withdrawn');
      expect((await rows('list-unit-files')).find(([unit]) => unit === 'demo@4.service')).toContain(
        'inactive',
      );
      expect(await at.run('reconcile')).toMatchObject({ code: 0, stdout: 'Nothing to do.\n' });
    }
    expect(await at.run('unload', 'demo@1.service')).toMatchObject({ code: 0 });
    expect((await rows('list-units')).map(([unit]) => unit)).not.toContain('demo@4.service');
    expect(await at.run('start', 'demo@1.service')).toMatchObject({ code: 0 });
    expect((await at.run('destroy', 'demo@4.service')).code).toBe(0);
  });

  test('a sidekick follows its leader', async () => {
    expect((await at.run('start', 'side@2.service')).code).toBe(0);
    const list = await rows('list-units');
    const where = (unit: string) => list.find(([name]) => name === unit)?.[1];
    expect(where('side@2.service')).toBe(where('demo@2.service'));
  });

  test('a global unit is on every machine', async () => {
    const ran = await at.run('start', 'all.service');
    expect(ran.stdout).toContain('Triggered global unit all.service start');
    expect((await rows('list-units')).filter(([unit]) => unit === 'all.service')).toHaveLength(3);
  });

  test('a unit that fails says how, and exits 1', async () => {
    const ran = await at.run('start', 'bad.service');
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/unit bad\.service failed on .*: exit status 1/);
    expect((await at.run('destroy', 'bad.service')).stdout).toBe('Destroyed bad.service\n');
  });

  test('a changed file is noticed, and exchanged with --all-at-once in all instances', async () => {
    await at.file(
      'demo@.service',
      '[Unit]\nDescription=new\n[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\nConflicts=demo@*.service\n',
    );
    for (const verb of ['start', 'load', 'submit'])
      expect(await at.run(verb, 'demo@1.service')).toEqual({
        code: 3,
        stdout: '',
        stderr: `Error: Unit demo@1.service in registry differs from local template unit file demo@.service; nothing was changed
  try: --replace deploys the local file, --keep goes on with the stored one; cluster plan shows the change
`,
      });
    expect(await at.run('start', '--keep', 'demo@1.service')).toMatchObject({
      code: 0,
      stderr:
        'WARNING: Unit demo@1.service in registry differs from local template unit file demo@.service. Add --replace to override.\n',
    });
    const planned = await at.run('plan', 'demo@1.service', 'demo@2.service');
    expect(planned.code).toBe(2);
    expect(planned.stdout).toMatch(/^demo@\.service differs from what the registry has for 2 units/);
    expect(planned.stdout).toContain('\n+Description=new\n');
    expect(planned.stdout).toContain('content changed from');
    const replaced = await at.run('start', '--replace', '--all-at-once', 'demo@1.service');
    expect(replaced.code).toBe(0);
    expect((await at.run('cat', 'demo@3.service')).stdout).toContain('Description=new');
    expect((await at.run('reconcile', '--dry-run')).stdout).toBe('Nothing to do.\n');
  });

  test('a oneshot that has done its work is nothing to do, for plan as for reconcile', async () => {
    await at.file('once.service', '[Service]\nType=oneshot\nExecStart=/bin/true\n');
    expect(await at.run('start', 'once.service')).toMatchObject({ code: 0 });
    for (const ask of [['plan'], ['reconcile', '--dry-run']])
      expect(await at.run(...ask)).toEqual({ code: 0, stdout: 'Nothing to do.\n', stderr: '' });
    expect((await at.run('plan', 'once.service')).code).toBe(2);
    expect((await at.run('destroy', 'once.service')).code).toBe(0);
  });

  test('what cannot be placed does not hide what would be done', async () => {
    await at.run('start', 'nowhere.service', 'bad.service');
    const dry = await at.run('reconcile', '--dry-run');
    expect(dry).toMatchObject({ code: 1, stdout: expect.stringMatching(/start +bad\.service/) });
    expect(dry.stderr).toMatch(/nowhere\.service cannot be placed/);
    expect((await at.run('destroy', 'nowhere.service', 'bad.service')).code).toBe(0);
  });

  test('a pattern passes over the template and what is on no machine', async () => {
    expect(await at.run('submit', 'demo@.service', 'demo@9.service')).toMatchObject({ code: 0 });
    for (const verb of ['restart', 'status', 'journal', 'stop'])
      expect((await at.run(verb, 'demo@*')).stderr).not.toMatch(/demo@9?\.service/);
    expect((await at.run('destroy', 'demo@9')).code).toBe(0);
    const started = await at.run('start', 'demo@*');
    expect(started, started.stderr).toMatchObject({ code: 0 });
    expect((await at.run('stop', 'demo@.service')).stderr).toMatch(/in state inactive/);
    expect((await at.run('destroy', 'demo@.service')).code).toBe(0);
  });

  test('stop, unload and destroy by pattern', async () => {
    const stopped = await at.run('stop', 'demo@*');
    expect(stopped.stderr).toBe(
      'Successfully stopped units [demo@1.service demo@2.service demo@3.service].\n',
    );
    expect(
      (await rows('list-units'))
        .filter(([unit]) => unit?.startsWith('demo'))
        .every(([, , active]) => active === 'inactive'),
    ).toBe(true);
    expect((await at.run('unload', 'demo@2')).stdout).toContain('Unit demo@2.service inactive');
    expect((await at.run('destroy', 'demo@*', 'side@2')).code).toBe(0);
    expect((await rows('list-unit-files')).map(([unit]) => unit)).toEqual(['all.service', 'hello.service']);
  });

  test('metadata that was set is told, also when it leaves a unit without a machine', async () => {
    const [[id = ''] = []] = await rows('list-machines', '--full');
    const card = (await at.run('machine', 'show', id)).stdout;
    expect(card).toMatch(new RegExp(`^machine +${id}$`, 'm'));
    expect((await at.run('machine', 'set-metadata', id, 'rack=r1')).stdout).toMatch(/ metadata rack=r1\n$/);
    await at.file('racked.service', `${SLEEP}[X-Fleet]\nMachineMetadata=rack=r1\n`);
    expect(await at.run('start', 'racked.service')).toMatchObject({ code: 0 });
    const ran = await at.run('machine', 'set-metadata', id, 'rack=');
    expect(ran).toMatchObject({ code: 1, stdout: expect.stringMatching(/ metadata -\n$/) });
    expect(ran.stderr).toContain('racked.service cannot be placed');
    expect((await at.run('destroy', 'racked.service')).code).toBe(0);
  });

  test('a machine that leaves gives its units to the others', async () => {
    const [, machine = ''] =
      (await rows('list-units', '--full')).find(([unit]) => unit === 'hello.service') ?? [];
    const id = machine.split('/')[0] ?? '';
    const ran = await at.ok('machine', 'rm', '--min-healthy', '0', id);
    expect(ran.stdout).toContain('hello.service moved from');
    const after = await rows('list-units', '--full');
    expect(after.find(([unit]) => unit === 'hello.service')?.[2]).toBe('active');
    expect(after.filter(([unit]) => unit === 'all.service')).toHaveLength(2);
  });

  test.each([
    ['an unknown unit', ['stop', 'nope'], /Unit nope\.service not found in registry/],
    ['several unknown units, all named', ['stop', 'nope', 'neither'], /nope\.service[\s\S]*neither\.service/],
    ['no file', ['start', 'missing'], /unable to find Unit\(missing\.service\) in Registry or on filesystem/],
    ['shell metacharacters', ['start', 'x;reboot.service'], /x;reboot\.service|unit name/],
    ['a range the shell ate', ['start', 'demo@'], /'demo@<1\.\.3>\.service'/],
    ['a reversed range', ['start', 'demo@<3..1>.service'], /3\.\.1/],
    ['no units', ['start'], /No units given/],
    ['nothing fits', ['start', 'nowhere.service'], /machine-metadata/],
    ['an unknown field', ['list-units', '--fields', 'bogus'], /Invalid key in output format: "bogus"/],
  ])('%s: one line what is wrong, exit 1', async (_, args, message) => {
    const ran = await at.run(...args);
    expect(ran.stderr).toMatch(message);
    expect(ran.stderr).not.toMatch(/^\s+at /m);
    expect(ran.code).toBe(1);
  });

  test('an unknown command or flag: exit 64', async () => {
    expect((await at.run('lits-units')).code).toBe(64);
    expect((await at.run('list-units', '--bogus')).code).toBe(64);
  });
});
