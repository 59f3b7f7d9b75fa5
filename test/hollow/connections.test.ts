import { access, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import type { HeldConnection } from '../../src/lib/machine/index.ts';
import { type Workplace, workplace } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { workplaceWith } from '../support/hollow.ts';

let at: Workplace;
let lab: HollowLab;

async function begin(extra: NodeJS.ProcessEnv = {}): Promise<void> {
  at = await workplaceWith(lab, extra);
  await at.file('a.service', '[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\nGlobal=true\n');
  await at.ok('start', 'a.service');
}

beforeEach(async () => {
  const home = await workplace();
  lab = await hollowUp({ machines: 3, stateDir: join(home.dir, 'lab'), name: 'held' });
});

afterEach(async () => {
  await at.run('connections', 'close');
  await lab.close();
  await at.remove();
});

async function held(): Promise<HeldConnection[]> {
  return JSON.parse((await at.run('connections', 'ls', '--json')).stdout) as HeldConnection[];
}

const heldAll = (): Promise<void> =>
  eventually('all machines are held', async () => (await held()).length === lab.machines.length, 10_000);

/** From here on nobody can log in: what still works needs no login. */
function refuseLogins(refuse = true): void {
  for (const { faults } of lab.simulations) faults.refuseAuth = refuse;
}

const socketsOf = async (): Promise<string[]> =>
  (await readdir(join(at.dir, 'store', 'connections'))).filter((name) => name.endsWith('.sock'));

test('after two commands the next ones need no login, and say and do the same', async () => {
  await begin();
  await heldAll();
  refuseLogins();
  await at.file('b@.service', '[Service]\nExecStart=/bin/sleep infinity\n');
  await at.file('bad.service', '[Service]\nExecStart=/bin/false\n');
  const started = await at.run('start', 'b@<1..3>.service');
  expect(started.stderr).toBe('');
  expect(started.stdout.match(/^Unit b@\d\.service launched on /gm)).toHaveLength(3);
  const failed = await at.run('start', 'bad.service');
  expect(failed).toMatchObject({ code: 1 });
  expect(failed.stderr).toMatch(/^Error: unit bad\.service failed on .*: exit status 1$/m);
  const listed = await at.run('list-units', '--json');
  expect(listed).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(listed.stdout)).toHaveLength(7);
  expect(await at.run('reconcile', '--dry-run')).toMatchObject({ code: 2 });
  expect(await at.run('destroy', 'b@*', 'bad.service')).toMatchObject({ code: 0, stderr: '' });
});

test('one command alone leaves nothing behind, and neither does any with --ssh-persist 0', async () => {
  await begin({ CLUSTER_SSH_PERSIST: '0' });
  expect(await at.run('list-units')).toMatchObject({ code: 0 });
  await expect(access(join(at.dir, 'store', 'connections'))).rejects.toThrow('ENOENT');
  delete at.env.CLUSTER_SSH_PERSIST;
  expect(await at.run('list-units')).toMatchObject({ code: 0 });
  await sleep(500);
  expect(await socketsOf()).toEqual([]);
});

test('a machine that ended its held connection is logged in to again', async () => {
  await begin();
  await heldAll();
  for (const server of lab.servers) server.dropConnections();
  expect(await at.run('list-units')).toMatchObject({ code: 0, stderr: '' });
  refuseLogins();
  for (const server of lab.servers) server.dropConnections();
  const refused = await at.run('list-units');
  expect(refused).toMatchObject({ code: 4 });
  expect(refused.stderr.match(/^Error: .*127\.0\.0\.1/gm)).toHaveLength(3);
});

test('a holder that hangs costs its patience, one that was killed nothing', async () => {
  await begin();
  await heldAll();
  const pid = await holderPid();
  process.kill(pid, 'SIGSTOP');
  expect(await at.run('list-units')).toMatchObject({ code: 0, stderr: '' });
  process.kill(pid, 'SIGKILL');
  expect(await at.run('list-units')).toMatchObject({ code: 0, stderr: '' });
  await heldAll();
  expect(await holderPid()).not.toBe(pid);
});

test('it is closed when told so, when unused, and when its directory is gone', async () => {
  await begin({ CLUSTER_SSH_PERSIST: '2s' });
  await heldAll();
  expect(await at.run('connections', 'close')).toMatchObject({ code: 0, stdout: '3 connections closed.\n' });
  await eventually('the socket is gone', async () => (await socketsOf()).length === 0, 10_000);
  expect(await at.run('connections', 'ls')).toMatchObject({ code: 0, stdout: 'MACHINE  HELD  UNUSED\n' });

  await at.run('list-units');
  await at.run('list-units');
  await heldAll();
  await eventually('it ends by itself', async () => (await socketsOf()).length === 0, 10_000);

  at.env.CLUSTER_SSH_PERSIST = '60s';
  await at.run('list-units');
  await at.run('list-units');
  await heldAll();
  const pid = await holderPid();
  await rm(join(at.dir, 'store', 'connections'), { recursive: true });
  await eventually('its process is gone', async () => !isAlive(pid), 10_000);
});

test('a machine that is taken out is let go', async () => {
  await begin();
  await heldAll();
  const address = `127.0.0.1:${lab.machines[0]?.port}`;
  await at.ok('machine', 'rm', '--force', address);
  expect((await held()).map(({ target }) => target.port)).not.toContain(lab.machines[0]?.port);
});

test("somebody else's directory is not trusted", async () => {
  await begin();
  await heldAll();
  const { chmod } = await import('node:fs/promises');
  await chmod(join(at.dir, 'store', 'connections'), 0o755);
  refuseLogins();
  expect(await at.run('list-units')).toMatchObject({ code: 4 });
  await chmod(join(at.dir, 'store', 'connections'), 0o700);
  expect(await at.run('list-units')).toMatchObject({ code: 0 });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** The process that listens at the socket, by /proc: the socket's own answer would be one that hangs too. */
async function holderPid(): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  const mine = [];
  for (const name of await readdir('/proc')) {
    const words = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
    if (words.includes('connections\0hold') && environment.includes(`HOME=${at.dir}\0`)) mine.push(name);
  }
  expect(mine).toHaveLength(1);
  return Number(mine[0]);
}
