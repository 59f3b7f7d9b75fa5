import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { type Workplace, workplace } from '../support/cli.ts';
import { workplaceWith } from '../support/hollow.ts';

const RUN = '[Service]\nExecStart=/bin/sleep infinity\n';
const ETC = '/etc/systemd/system';
let home: Workplace;
let at: Workplace;
let lab: HollowLab;

const tree = () => lab.simulations[0]!.tree;
const write = (path: string, text = RUN): void => tree().write(path, Buffer.from(text));

beforeAll(async () => {
  home = await workplace();
  lab = await hollowUp({ machines: 1, stateDir: join(home.dir, 'lab'), name: 'shadows' });
  at = await workplaceWith(lab);
  write('/lib/systemd/system/getty@.service');
  write('/usr/lib/systemd/system/vendor.service');
  write('/run/systemd/generator.late/script.service');
  write(`${ETC}/admin.service`, `[Unit]\nDescription=by hand\n${RUN}`);
});

afterAll(async () => {
  await lab.close();
  await at.remove();
  await home.remove();
});

const CASES: readonly (readonly [what: string, unit: string, install: string])[] = [
  ['a unit of that name', 'ssh.service', ''],
  ['a unit that an administrator wrote', 'admin.service', ''],
  ['a unit that a generator made', 'script.service', ''],
  ['an instance of a template that is not ours', 'getty@tty1.service', ''],
  ['a unit that systemd makes itself', 'init.scope', ''],
  ['an alias', 'a.service', 'Alias=ssh.service'],
  ['an alias in /usr/lib', 'a.service', 'Alias=vendor.service'],
  ['an alias among others, on a continued line', 'a.service', 'Alias=own-name.service \\\n  "ssh.service"'],
  ['an alias with spaces around the equals sign', 'a.service', ' Alias = ssh.service'],
  ['an alias by the name of the instance', 'a@ssh.service', 'Alias=%i.service'],
  ['an alias by a fact of the machine', 'a.service', 'Alias=ssh%H.service'],
  ['an alias that is an instance of a foreign template', 'a.service', 'Alias=getty@tty9.service'],
  ['a template as alias of an instance', 'a@tty9.service', 'Alias=getty@.service'],
  ['another unit that would be enabled too', 'a.service', 'WantedBy=multi-user.target\nAlso=ssh.service'],
];

describe('nothing that we install or enable takes the place of what is not ours', () => {
  test.each(CASES)('%s is refused, and nothing is changed', async (_, unit, install) => {
    write(`/lib/systemd/system/ssh${lab.simulations[0]!.hostname}.service`);
    await at.file(unit, `${RUN}[Install]\n${install}\n`);
    await at.file('neighbour.service', RUN);
    const before = tree().list(ETC);

    const ran = await at.run('start', unit, 'neighbour.service');
    expect(ran).toMatchObject({ code: 1, stdout: expect.stringContaining('neighbour.service launched') });
    expect(ran.stderr).toMatch(/is not its own|was not installed by cluster/);
    expect(ran.stderr).toMatch(/^ {2}try: .*nothing was changed/m);

    await at.ok('destroy', 'neighbour.service', unit);
    expect(
      tree()
        .list(ETC)
        .filter((name) => !/cluster|multi-user/.test(name)),
    ).toEqual(before.filter((name) => !/cluster|multi-user/.test(name)));
    expect(tree().text('/lib/systemd/system/ssh.service')).not.toBeNull();
  });

  test('an alias that nobody has is taken, kept by a changed file, and goes with the unit', async () => {
    await at.file('mine.service', `${RUN}[Install]\nAlias=own-name.service\n`);
    await at.ok('start', 'mine.service');
    expect(tree().readlink(`${ETC}/own-name.service`)).toMatch(/mine\.service$/);
    await at.file('mine.service', `# more\n${RUN}[Install]\nAlias=own-name.service\n`);
    await at.ok('start', '--replace', 'mine.service');
    await at.ok('destroy', 'mine.service');
    expect(tree().readlink(`${ETC}/own-name.service`)).toBeNull();
  });

  test('what runs is not stopped for a file that is refused', async () => {
    await at.file('kept.service', RUN);
    await at.ok('start', 'kept.service');
    await at.file('kept.service', `${RUN}[Install]\nAlias=ssh.service\n`);
    const ran = await at.run('start', '--replace', 'kept.service');
    expect(ran.stderr).toContain('Alias=ssh.service of kept.service would take the place of a unit');
    expect(ran.code).toBe(1);
    expect((await at.ok('list-units', '--no-legend')).stdout).toMatch(/^kept\.service .* active +running$/m);
    expect(tree().text(`${ETC}/kept.service`)).toBe(RUN);
    await at.ok('destroy', 'kept.service');
  });

  test('Also= of a unit of ours is fine', async () => {
    await at.file('one.service', `${RUN}[Install]\nWantedBy=multi-user.target\nAlso=two.service\n`);
    await at.file('two.service', `${RUN}[Install]\nWantedBy=multi-user.target\n`);
    await at.ok('start', 'one.service', 'two.service');
    await at.ok('destroy', 'one.service', 'two.service');
  });
});
