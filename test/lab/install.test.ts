import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'vitest';
import { labCutOff, labReconnect } from '../../src/lib/lab/real/index.ts';
import { type Ran, type Workplace, workplace } from '../support/cli.ts';
import { real, withRealLab } from '../support/real.ts';
import { hashOf, variantOf } from '../support/release.ts';

const NAME = 'install';
const ROOT = join(import.meta.dirname, '..', '..');
const ENDPOINT = ['--machine-endpoint', 'http://10.0.0.5:2379'];
let at: Workplace;
let release = '';
let ids: string[] = [];

/** A shell line on a machine (1 or 2), as root. */
async function there(n: number, line: string): Promise<Ran> {
  return at.run('lab', 'ssh', '--name', NAME, `${NAME}-${n}`, '--', line);
}

const install = (...args: string[]): Promise<Ran> => at.run('machine', 'install', ...args);

const variant = (label: string, node?: string): string => variantOf(release, at.dir, label, node);

/** What stands in /opt, sorted: releases by their short hashes, no stages. */
async function releases(n: number): Promise<{ current: string; all: string[] }> {
  const { stdout } = await there(n, 'readlink /opt/cluster; ls -A /opt');
  const [current = '', ...all] = stdout.trim().split('\n');
  return { current, all: all.filter((name) => name !== 'cluster').sort() };
}

withRealLab(NAME, ['--machines', '2'], async (made) => {
  at = made;
  execFileSync(process.execPath, [join(ROOT, 'scripts', 'package.mjs'), '--quiet', '--out', at.dir]);
  release = execFileSync('sh', ['-c', 'ls "$1"/*.tar.gz', '-', at.dir], { encoding: 'utf8' }).trim();
  ids = (JSON.parse((await at.ok('list-machines', '--json')).stdout) as { id: string }[]).map(({ id }) => id);
  await at.file(
    'hold.service',
    '[Service]\nEnvironmentFile=/etc/cluster/environment\nExecStart=/opt/cluster/bin/node -e "setInterval(() => {}, 1e6)"\n[X-Fleet]\nGlobal=true\n',
  );
});

real('a release runs where there is no Node, with all that it needs', async () => {
  expect((await there(1, 'command -v node')).code).not.toBe(0);
  const ran = await install('--release', release, ...ENDPOINT);
  expect(ran, ran.stderr).toMatchObject({ code: 0 });
  expect(ran.stdout.match(/^Release \S+ \([0-9a-f]{7}\) installed on .*$/gm)).toHaveLength(2);
  for (const id of ids) {
    const version = await at.ok('ssh', id, '--', '/opt/cluster/bin/cluster', 'version');
    expect(version.stdout).toBe((await at.ok('version')).stdout);
  }
  expect((await there(1, 'cluster version')).code).toBe(0);
  const embedded = await there(1, 'cluster list-machines --data-dir /tmp/store && ls /tmp/store');
  expect(embedded, embedded.stderr).toMatchObject({ code: 0 });
  const etcd = await there(1, 'cluster list-machines --endpoint 127.0.0.1:1');
  expect(etcd.code).toBe(5);
  expect(etcd.stderr).toMatch(/etcd cannot be reached/);
});

real('the compiled code that came with it is taken', async () => {
  const stat = async () => (await there(1, 'stat -c "%n %i" /opt/cluster/dist/*.cache')).stdout;
  const before = await stat();
  expect(before).toMatch(/\.cache \d+\n$/);
  await there(1, 'cluster version');
  expect(await stat()).toBe(before);
});

real('the settings of the store are there, for root alone', async () => {
  const { stdout } = await there(2, 'stat -c "%a %U" /etc/cluster/environment; cat /etc/cluster/environment');
  expect(stdout).toMatch(/^600 root\n/);
  expect(stdout).toMatch(/^CLUSTER_ENDPOINT="http:\/\/10\.0\.0\.5:2379"$/m);
});

real('a second time nothing is sent and nothing written', async () => {
  const stamp = async () =>
    (await there(1, 'stat -c "%i %Z" /etc/cluster/environment /opt/cluster /opt/cluster/RELEASE')).stdout;
  const before = await stamp();
  const again = await install('--release', release, ...ENDPOINT);
  expect(again).toMatchObject({ code: 0, stderr: '' });
  expect(again.stdout.match(/^Release \S+ \([0-9a-f]{7}\) is already on \S+$/gm)).toHaveLength(2);
  expect(await stamp()).toBe(before);
  const json = JSON.parse((await install('--json', '--release', release, ...ENDPOINT)).stdout);
  expect(json.machines).toMatchObject([
    { release: 'same', settings: 'same' },
    { release: 'same', settings: 'same' },
  ]);
});

real('another release takes its place, and what still runs the old one is named', async () => {
  await at.ok('start', 'hold.service');
  const before = await releases(1);
  const ran = await install('--release', variant('second'), ...ENDPOINT);
  expect(ran, ran.stderr).toMatchObject({ code: 0 });
  expect(await releases(1)).toEqual({
    current: `cluster-${hashOf('second')}`,
    all: [before.current, `cluster-${hashOf('second')}`].sort(),
  });
  expect(ran.stdout).toMatch(/^Still running .* on 2 machines: hold\.service$/m);
  expect(ran.stdout).toMatch(/^ {2}one machine after another: cluster restart --rolling hold\.service$/m);
  await install('--release', variant('third'), ...ENDPOINT);
  // hold.service reads from its own release, however old it is.
  expect((await releases(1)).all).toContain(before.current);
  const restarted = await at.ok('restart', '--rolling', '--min-healthy', '1s', 'hold.service');
  expect(restarted.stdout.match(/hold\.service on .* is healthy/g)).toHaveLength(2);
  const starts = await Promise.all(
    [1, 2].map((n) => there(n, 'systemctl show -p ExecMainStartTimestampMonotonic --value hold.service')),
  );
  expect(starts[0]?.stdout).not.toBe(starts[1]?.stdout);
  const quiet = await install('--release', join(at.dir, 'third.tar.gz'), ...ENDPOINT);
  expect(quiet.stdout).not.toMatch(/Still running/);
});

real('the one before is a switch away, and only it is kept', async () => {
  const back = await install('--json', '--release', join(at.dir, 'second.tar.gz'), ...ENDPOINT);
  expect(JSON.parse(back.stdout).machines).toMatchObject([{ release: 'switched' }, { release: 'switched' }]);
  expect(back.stderr).toBe('');
  expect(await releases(2)).toEqual({
    current: `cluster-${hashOf('second')}`,
    all: [`cluster-${hashOf('second')}`, `cluster-${hashOf('third')}`].sort(),
  });
});

real('other settings are written alone, and name who has not read them', async () => {
  const ran = await install(
    ...['--release', join(at.dir, 'second.tar.gz'), '--machine-endpoint', '10.0.0.6:2379'],
  );
  expect(ran.stdout.match(/is already on \S+, \/etc\/cluster\/environment written$/gm)).toHaveLength(2);
  expect(ran.stdout).toMatch(/^Still running .*: hold\.service$/m);
});

real('an install that is killed leaves the old one working', async () => {
  const file = variant('killed');
  const { child, ran } = at.start('machine', 'install', '--release', file);
  child.stderr.on('data', (chunk: Buffer) => {
    if (/25% of/.test(chunk.toString())) child.kill('SIGKILL');
  });
  await ran;
  expect(child.signalCode).toBe('SIGKILL');
  for (const n of [1, 2]) {
    await expect.poll(async () => (await releases(n)).all.join(), { timeout: 20_000 }).not.toMatch(/stage/);
    expect(await releases(n)).toMatchObject({ current: `cluster-${hashOf('second')}` });
    expect((await there(n, 'cluster version')).code).toBe(0);
  }
  const [before] = JSON.parse((await install('--json', '--release', file)).stdout).machines;
  expect(before).toMatchObject({ release: 'sent' });
});

real('a release that does not run there is not taken', async () => {
  const before = await releases(1);
  const ran = await install(
    '--release',
    variant('broken', '#!/bin/sh\necho libstdc++.so.6: missing >&2; exit 127\n'),
  );
  expect(ran.code).toBe(4);
  expect(ran.stderr).toMatch(/does not run on .*: libstdc\+\+\.so\.6: missing/);
  expect(ran.stderr).toMatch(/apt-get install libstdc\+\+6/);
  expect(await releases(1)).toEqual(before);
  expect((await there(1, 'cluster version')).code).toBe(0);
});

real('a full disk is named and nothing is left of the try', async () => {
  const before = await releases(1);
  const file = variant('big');
  const { stdout: id } = await there(1, 'mount -t tmpfs -o size=20m tmpfs /opt && cat /etc/machine-id');
  const ran = await install('--release', file, id.trim());
  const { stdout: left } = await there(1, 'ls -A /opt; umount /opt');
  expect(ran).toMatchObject({ code: 1, stdout: '' });
  expect(ran.stderr).toMatch(/no space left for the release on .*\n {2}try: free /);
  expect(left).toBe('');
  expect(await releases(1)).toEqual(before);
});

real('a machine that cannot be reached is reported, the other goes on', async () => {
  await labCutOff(NAME, `${NAME}-2`);
  const ran = await install('--release', release, '--ssh-timeout', '3s');
  await labReconnect(NAME, `${NAME}-2`);
  expect(ran.code).toBe(4);
  expect(ran.stdout.match(/^Release .* installed on /gm)).toHaveLength(1);
  expect(ran.stderr).toMatch(/^Error: .*cannot be reached/m);
  await expect.poll(async () => (await there(2, 'true')).code, { timeout: 20_000 }).toBe(0);
});

real('a login with sudo does as well; what is not ours stays', async () => {
  const labs = JSON.parse((await at.ok('lab', 'status', '--json', '--name', NAME)).stdout) as {
    identity: string;
    knownHosts: string;
    address: string;
  }[];
  const lab = labs[0] ?? { identity: '', knownHosts: '', address: '' };
  const other = await workplace({
    CLUSTER_SSH_IDENTITY: lab.identity,
    CLUSTER_KNOWN_HOSTS_FILE: lab.knownHosts,
  });
  try {
    await there(
      1,
      'rm -rf /opt/* /usr/local/bin/cluster /etc/cluster/environment /etc/cluster/cluster; echo mine > /usr/local/bin/cluster',
    );
    expect(await other.run('machine', 'add', `admin@${lab.address}`)).toMatchObject({ code: 0 });
    const first = await other.run('machine', 'install', '--release', release, ...ENDPOINT);
    expect(first, first.stderr).toMatchObject({ code: 0 });
    expect(first.stderr).toMatch(/\/usr\/local\/bin\/cluster is not ours/);
    expect((await there(1, 'cat /usr/local/bin/cluster; stat -c %a /etc/cluster/environment')).stdout).toBe(
      'mine\n600\n',
    );
    const again = await other.run('machine', 'install', '--release', release, ...ENDPOINT);
    expect(again).toMatchObject({ code: 0, stderr: '' });
    await there(1, 'rm /opt/cluster; mkdir /opt/cluster');
    const refused = await other.run('machine', 'install', '--release', release, ...ENDPOINT);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/\/opt\/cluster on .* was not installed by cluster/);
  } finally {
    await other.remove();
  }
});

real('bad input changes nothing and says what to try', async () => {
  const cases: [string[], RegExp][] = [
    [['--machine-endpoint', '10.0.0.5'], /not the address of an etcd server.*\n {2}try: such as/],
    [['--release', '/nonexistent.tar.gz'], /is not a release: ENOENT.*\n {2}try: npm run package/],
    [['--release', release, 'nobody'], /no machine nobody.*\n {2}try: /],
    [
      ['--release', release, '--tunnel', 'root@10.0.0.9'],
      /through a tunnel.*\n {2}try: .*--machine-endpoint/,
    ],
  ];
  for (const [args, message] of cases) {
    const ran = await install(...args);
    expect(ran.code).toBe(1);
    expect(ran.stdout).toBe('');
    expect(ran.stderr).toMatch(message);
  }
});

real('a machine that is removed keeps nothing of ours, and all that is not', async () => {
  const ours =
    'ls -d /opt/cluster /opt/cluster-* /usr/local/bin/cluster /etc/cluster /etc/systemd/system/cluster.target /etc/systemd/system/hold.service /etc/systemd/system/cluster.target.wants 2>/dev/null';
  const second = (await there(2, 'cat /etc/machine-id')).stdout.trim();
  expect(await install('--release', release, second, ...ENDPOINT)).toMatchObject({ code: 0 });
  // The other machine belongs to somebody else by now, which is said.
  await at.run('start', '--keep', 'hold.service');
  await there(2, 'echo other > /etc/systemd/system/other.service');
  expect((await there(2, ours)).stdout).toContain('/opt/cluster');

  await at.ok('machine', 'rm', second);
  expect((await there(2, ours)).stdout).toBe('');
  expect(
    (await there(2, 'cat /etc/systemd/system/other.service; systemctl is-active hold.service')).stdout,
  ).toBe('other\ninactive\n');
});
