import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Workplace, workplace } from '../support/cli.ts';
import { withLab } from '../support/lab.ts';

let at: Workplace;

withLab('bad', ['--hollow', '2'], async (made) => {
  at = made;
  await at.file('good.service', '[Service]\nExecStart=/bin/sleep infinity\n');
  await at.file('broken.service', '[Service]\nExecStart\n');
  await at.file('unknown-key.service', '[X-Fleet]\nConflictz=a\n');
  await at.file('both.service', '[X-Fleet]\nGlobal=true\nMachineID=abc\n');
  await at.file('own.service', '[X-Fleet]\nMachineOf=peer.service\nConflicts=p*\n');
  await at.file('x.service', '[X-Fleet]\nMachineOf=y.service\n');
  await at.file('y.service', '[X-Fleet]\nMachineOf=x.service\n');
  await at.file('huge.service', `[Service]\n# ${'x'.repeat(10_000_000)}\n`);
  await writeFile(join(at.dir, 'junk.service'), Buffer.from([0, 1, 2, 255, 254, 0, 10]));
  await at.file('host.service', '[X-Fleet]\nMachineMetadata=host=%H\n');
});

/** What the command changed: the registry as a user sees it. */
async function registry(): Promise<string> {
  return (await at.run('list-unit-files', '--json')).stdout;
}

test.each([
  ['a unit name that systemd refuses', ['start', 'a b.service'], 1, /a b\.service|unit name/],
  ['no such file', ['start', 'nothing.service'], 1, /unable to find Unit\(nothing\.service\)/],
  ['a broken unit file', ['start', 'broken.service'], 1, /broken\.service:2/],
  ['an unknown [X-Fleet] key', ['start', 'unknown-key.service'], 1, /Conflictz[\s\S]*did you mean Conflicts/],
  ['Global with MachineID', ['start', 'both.service'], 1, /MachineID cannot be used with Global/],
  [
    'a conflict with its own leader',
    ['start', 'own.service'],
    1,
    /peer "peer\.service" matches conflict "p\*"/,
  ],
  ['a circle of MachineOf', ['start', 'x.service', 'y.service'], 1, /x\.service -> y\.service -> x\.service/],
  ['a machine fact in [X-Fleet]', ['start', 'host.service'], 1, /%H/],
  ['an empty range', ['start', 'demo@<>.service'], 1, /range/],
  ['a reversed range', ['start', 'demo@<3..1>.service'], 1, /range/],
  ['a huge range', ['start', 'demo@<1..99999999>.service'], 1, /range/],
  ['shell metacharacters', ['start', 'x;reboot.service'], 1, /x;reboot\.service/],
  ['a unit file of 10 MB', ['start', 'huge.service'], 1, /huge\.service/],
  ['binary junk', ['start', 'junk.service'], 1, /junk\.service/],
  ['one bad among good ones', ['start', 'good.service', 'broken.service'], 1, /broken\.service:2/],
  ['etcd away', ['start', 'good.service', '--endpoint', 'http://127.0.0.1:1'], 5, /etcd cannot be reached/],
  ['a machine that is away', ['machine', 'add', '127.0.0.1:1'], 4, /cannot be reached/],
  ['no address', ['machine', 'add'], 1, /No address given/],
  ['an unknown flag', ['start', '--replase', 'good.service'], 64, /replase/],
])('%s: one line, a hint, exit %#, nothing changed', async (_, args, code, message) => {
  const before = await registry();
  const ran = await at.run(...args);
  expect(ran.stderr).toMatch(message);
  expect(ran.stderr).toMatch(/^ {2}try: /m);
  expect(ran.stderr).not.toMatch(/^\s+at /m);
  expect(ran.code).toBe(code);
  expect(await registry()).toBe(before);
});

test('no machine is registered', async () => {
  const empty = await workplace();
  await empty.file('good.service', '[Service]\nExecStart=/bin/sleep infinity\n');
  const ran = await empty.run('start', 'good.service');
  await empty.remove();
  expect(ran).toMatchObject({ code: 1, stdout: '' });
  expect(ran.stderr).toContain('no machine is registered');
});

test('a config file with an unknown key', async () => {
  const other = await workplace();
  await other.file('cluster.yaml', 'etcdd:\n  endpoints: []\n');
  const ran = await other.run('list-units');
  await other.remove();
  expect(ran.code).toBe(1);
  expect(ran.stderr).toMatch(/etcdd[\s\S]*did you mean etcd/);
});
