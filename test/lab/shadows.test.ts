import { expect } from 'vitest';
import type { Workplace } from '../support/cli.ts';
import { real, withRealLab } from '../support/real.ts';

const RUN = '[Service]\nExecStart=/bin/sleep infinity\n';
let at: Workplace;

withRealLab('shadows', ['--machines', '1'], async (made) => {
  at = made;
});

real.each([
  ['ssh.service', ''],
  ['getty@tty7.service', ''],
  ['a.service', 'Alias=ssh.service'],
  ['a@ssh.service', 'Alias=%i.service'],
  ['a.service', 'Alias=getty@tty7.service'],
  ['a.service', 'WantedBy=multi-user.target\nAlso=ssh.service'],
])('on real systemd, %s with "%s" is refused and ssh stays what it is', async (unit, install) => {
  await at.file(unit, `${RUN}[Install]\n${install}\n`);
  await at.file('neighbour.service', RUN);
  const ssh = [
    'ssh',
    (await machine()).slice(0, 8),
    '--',
    'systemctl show -p FragmentPath,ActiveState ssh.service',
  ];
  const before = (await at.ok(...ssh)).stdout;

  const ran = await at.run('start', unit, 'neighbour.service');
  expect(ran).toMatchObject({ code: 1, stdout: expect.stringContaining('neighbour.service launched') });
  expect(ran.stderr).toMatch(/is not its own|was not installed by cluster/);
  await at.ok('destroy', unit, 'neighbour.service');
  expect((await at.ok(...ssh)).stdout).toBe(before);
});

real('on real systemd, an alias that nobody has is taken and goes with the unit', async () => {
  await at.file('mine.service', `${RUN}[Install]\nAlias=own-name.service\n`);
  await at.ok('start', 'mine.service');
  const state = ['ssh', (await machine()).slice(0, 8), '--', 'systemctl show -p Id own-name.service'];
  expect((await at.ok(...state)).stdout).toContain('Id=mine.service');
  await at.file('mine.service', `# more\n${RUN}[Install]\nAlias=own-name.service\n`);
  await at.ok('start', '--replace', 'mine.service');
  await at.ok('destroy', 'mine.service');
  expect((await at.ok(...state)).stdout).toContain('Id=own-name.service');
});

async function machine(): Promise<string> {
  const [first] = JSON.parse((await at.ok('list-machines', '--json')).stdout) as { id: string }[];
  return first?.id ?? '';
}
