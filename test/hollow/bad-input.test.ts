import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCli, type Workplace, workplace } from '../support/cli.ts';
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
  [
    'a lab name that is a path',
    ['lab', 'up', '--hollow', '1', '--name', '../x'],
    1,
    /cannot be the name of a lab/,
  ],
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

test('names and files that are wrong are all reported at once', async () => {
  const ran = await at.run('start', 'demo@<3..1>', 'broken.service', 'good.service', 'nothing.service');
  expect(ran).toMatchObject({ code: 1, stdout: '' });
  for (const words of ['runs backwards', 'broken.service:2', 'Unit(nothing.service)'])
    expect(ran.stderr).toContain(words);
});

test('a circle of MachineOf that --replace would bring in', async () => {
  await at.file('p.service', '[Service]\nExecStart=/bin/sleep infinity\n');
  await at.file('q.service', '[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\nMachineOf=p.service\n');
  expect(await at.run('submit', 'p.service', 'q.service')).toMatchObject({ code: 0 });
  await at.file('p.service', '[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\nMachineOf=q.service\n');
  const before = await registry();
  const ran = await at.run('start', '--replace', 'p.service');
  expect(ran.code).toBe(1);
  expect(ran.stderr).toMatch(/goes in a circle/);
  expect(await registry()).toBe(before);
});

test('what is allowed but probably not meant is said when the file is taken, once for all instances', async () => {
  await at.file('odd@.service', '[Service]\nExecStart=/bin/true\n[X-Fleet]\nMachineMetadata=web\n');
  const ran = await at.run('submit', 'odd@<1..3>.service');
  expect(ran.code).toBe(0);
  expect(ran.stderr).toBe(
    'WARNING: odd@1.service:4: MachineMetadata=web is not one key=value and asks for nothing, as in fleet\n',
  );
});

test('verify names the file and the line once', async () => {
  await at.file('old.service', '[Service]\nExecStart=/bin/true\n[X-Fleet]\nX-Conflicts=a*\n');
  const ran = await at.run('verify', join(at.dir, 'old.service'));
  expect(ran.code).toBe(0);
  expect(ran.stderr).toContain(`WARNING: ${at.dir}/old.service:4: X-Conflicts is deprecated`);
});

test('on paper a file that is named is taken, not the text of the inventory', async () => {
  const machines = '{"id":"A"},{"id":"B","metadata":{"r":"db"}}';
  const units =
    '{"name":"a.service","file":"","machine":"A"},{"name":"t@.service","file":"","desired":"inactive"}';
  await at.file('paper.json', `{"machines":[${machines}],"units":[${units}]}`);
  for (const name of ['a.service', 't@.service']) await at.file(name, '[X-Fleet]\nMachineMetadata=r=db\n');
  const ran = await at.run('plan', '--inventory', 'paper.json', '--json', 'a.service', 't@1');
  expect(JSON.parse(ran.stdout)).toMatchObject({
    placements: [
      { unit: 'a.service', machine: 'B', previous: 'A' },
      { unit: 't@1.service', machine: 'B', previous: null },
    ],
  });
});

test('cat prints one unit, not the first of several', async () => {
  const ran = await at.run('cat', 'odd@<1..3>');
  expect(ran).toMatchObject({ code: 1, stdout: '' });
  expect(ran.stderr).toMatch(/One unit file must be provided[\s\S]*try: cluster cat odd@1/);
});

test('what is piped in is no argument', async () => {
  const ran = await runCli(['destroy'], at.dir, at.env, 'good.service\n');
  expect(ran).toMatchObject({ code: 1, stdout: '' });
  expect(ran.stderr).toContain('No units given');
});

test('etcd that speaks no TLS: what is wrong and what to try, nothing else', async () => {
  const server = createServer((socket) => socket.on('data', () => socket.destroy()).on('error', () => {}));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const ran = await at.run('list-units', '--endpoint', `https://127.0.0.1:${port}`);
  server.close();
  expect(ran.code).toBe(5);
  expect(ran.stderr).toMatch(/^Error: no trusted TLS connection to etcd at .*\n {2}try: .*\n$/);
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

test('verify says of every file what it is, whatever the others are', async () => {
  await at.file('fine.service', '[Service]\nExecStart=/bin/sleep 1d\n');
  await at.file('broken.service', 'no section\n');
  await at.file('odd.service', '[Service]\nExecStart=/bin/sleep 1d\n[Fleet]\nGlobal=true\n');
  const files = ['broken.service', 'fine.service', 'missing.service', 'odd.service'];
  const ran = await at.run('verify', ...files);
  expect(ran.code).toBe(1);
  expect(ran.stdout).toMatch(/^fine\.service: ok .*\nodd\.service: ok .*\n$/);
  expect(ran.stderr).toMatch(/^WARNING: odd\.service.*Fleet/m);
  expect(ran.stderr).toMatch(/^Error: .*broken\.service/m);
  expect(ran.stderr).toMatch(/^Error: cannot read missing\.service/m);

  const json = await at.run('verify', '--json', ...files);
  expect(json.code).toBe(1);
  const rows = JSON.parse(json.stdout) as { file: string; error?: { code: string } }[];
  expect(rows.map(({ file, error }) => [file, error !== undefined]).sort()).toEqual(
    files.map((file) => [file, /broken|missing/.test(file)]),
  );
});
