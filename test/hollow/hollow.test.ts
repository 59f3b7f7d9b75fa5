import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type HollowLab, hollowUp, type LabMachine } from '../../src/lib/lab/hollow/lab.ts';
import type { HollowMachine } from '../../src/lib/lab/hollow/machine.ts';
import { hollowDown, hollowStatus, startHollowProcess } from '../../src/lib/lab/hollow/process.ts';
import {
  connectMachine,
  type InstallFile,
  type Machine,
  type SshOptions,
} from '../../src/lib/machine/index.ts';

const RUNS = '[Unit]\nDescription=Runs\n[Service]\nExecStart=/bin/sleep infinity\n';
const oneshot = (command: string, more = ''): string =>
  `[Service]\nType=oneshot\nExecStart=${command}\n${more}`;

let dir: string;
let lab: HollowLab;
let open: Machine[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cluster-hollow-'));
  lab = await hollowUp({ machines: 12, stateDir: dir, name: 'hollow', restartMs: 20 });
});

afterEach(() => {
  for (const machine of open) machine.close();
  open = [];
});

afterAll(async () => {
  await lab.close();
  await rm(dir, { recursive: true, force: true });
});

let used = 0;
/** A machine that no other test touches. */
function fresh(): { at: LabMachine; inside: HollowMachine } {
  const index = used++;
  return { at: lab.machines[index]!, inside: lab.simulations[index]! };
}

async function connect(
  at: LabMachine,
  change: Partial<SshOptions & { user: string }> = {},
): Promise<Machine> {
  const { user = at.user, ...options } = change;
  const { address, port, identity, knownHosts } = at;
  const machine = await connectMachine(
    { address, port, user, identity, knownHosts },
    { timeoutMs: 2_000, strictHostKeyChecking: 'yes', config: null, ...options },
  );
  open.push(machine);
  return machine;
}

async function install(machine: Machine, units: Record<string, string>): Promise<void> {
  const files = Object.entries(units).map(
    ([unit, text]): InstallFile => ({ unit, text, hash: 'abc1234', launched: true }),
  );
  await machine.apply({ install: files, remove: [] });
  await machine.reload();
}

const failed = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: unknown) => error,
  );

describe('the conversation with the real client', () => {
  test('facts say that it is hollow', async () => {
    const { at, inside } = fresh();
    const facts = await (await connect(at)).facts();
    expect(facts).toMatchObject({ machineId: at.id, hostname: 'hollow-1', sudo: 'root', systemd: 252 });
    expect(facts.os).toContain('Hollow');
    expect(facts.bootId).toBe(inside.bootId);
    expect(at.id).toMatch(/^[0-9a-f]{32}$/);
  });

  test('install, start, look, stop, remove', async () => {
    const { at, inside } = fresh();
    const machine = await connect(at);
    expect((await machine.manifest()).units).toEqual([]);
    await install(machine, { 'demo@1.service': RUNS, 'demo@2.service': RUNS });
    expect((await machine.manifest()).units).toEqual([
      { unit: 'demo@1.service', hash: 'abc1234', boot: true },
      { unit: 'demo@2.service', hash: 'abc1234', boot: true },
    ]);
    const started = await machine.start(['demo@1.service', 'demo@2.service', 'nosuch.service'], true);
    expect(started.map(({ unit, result }) => [unit, result])).toEqual([
      ['demo@1.service', 'done'],
      ['demo@2.service', 'done'],
      ['nosuch.service', 'failed'],
    ]);
    expect(started[2]?.failure?.how).toBe('Unit nosuch.service not found.');
    expect(await machine.statuses(['demo@1.service', 'nosuch.service'])).toEqual([
      { unit: 'demo@1.service', load: 'loaded', active: 'active', sub: 'running' },
      { unit: 'nosuch.service', load: 'not-found', active: 'inactive', sub: 'dead' },
    ]);
    const before = inside.systemd.peek('demo@1.service')?.invocation;
    expect((await machine.restart(['demo@1.service'], true))[0]?.result).toBe('done');
    expect(inside.systemd.peek('demo@1.service')?.invocation).not.toBe(before);
    expect((await machine.stop(['demo@1.service'], true))[0]).toMatchObject({
      result: 'done',
      status: { active: 'inactive' },
    });
    await machine.apply({ install: [], remove: ['demo@1.service'] });
    await machine.reload();
    expect((await machine.manifest()).units).toEqual([
      { unit: 'demo@2.service', hash: 'abc1234', boot: true },
    ]);
    expect((await machine.statuses(['demo@1.service']))[0]?.load).toBe('not-found');
  });

  test('a running unit outlives its file until it is stopped', async () => {
    const { at } = fresh();
    const machine = await connect(at);
    await install(machine, { 'gone.service': RUNS });
    await machine.start(['gone.service'], true);
    await machine.apply({ install: [], remove: ['gone.service'] });
    await machine.reload();
    expect((await machine.statuses(['gone.service']))[0]).toMatchObject({
      load: 'not-found',
      active: 'active',
    });
    expect((await machine.stop(['gone.service'], true))[0]?.result).toBe('done');
    expect((await machine.statuses(['gone.service']))[0]).toMatchObject({
      load: 'not-found',
      active: 'inactive',
    });
  });

  test('failed starts say why, with the journal of that invocation', async () => {
    const { at } = fresh();
    const machine = await connect(at);
    await install(machine, {
      'once.service': oneshot(`/bin/sh -c 'echo no luck; exit 7'`),
      'simple.service': '[Service]\nExecStart=/bin/false\n',
      'pre.service': '[Service]\nExecStartPre=/bin/false\nExecStart=/bin/sleep infinity\n',
      'needs.service': '[Unit]\nRequires=once.service\n[Service]\nExecStart=/bin/sleep infinity\n',
      'good.service': oneshot('/bin/true'),
      'stays.service': oneshot('/bin/true', 'RemainAfterExit=yes\n'),
    });
    const names = ['once.service', 'simple.service', 'pre.service', 'good.service', 'stays.service'];
    const [once, simple, pre, good, stays] = await machine.start(names, true);
    expect(once).toMatchObject({ result: 'failed', failure: { result: 'exit-code', how: 'exit status 7' } });
    expect(once?.failure?.journal).toContain('no luck');
    expect(once?.failure?.journal.at(-1)).toMatch(/^Failed to start once.service/);
    expect(simple).toMatchObject({ result: 'failed', failure: { how: 'exit status 1' } });
    expect(pre).toMatchObject({ result: 'failed', failure: { how: 'exit status 1' } });
    expect(good).toMatchObject({ result: 'done', status: { active: 'inactive', sub: 'dead' } });
    expect(stays).toMatchObject({ result: 'done', status: { active: 'active', sub: 'exited' } });
    const [needs] = await machine.start(['needs.service'], true);
    expect(needs?.result).toBe('dependency');
  });

  test('a killed unit comes back when its file says so', async () => {
    const { at, inside } = fresh();
    const machine = await connect(at);
    await install(machine, { 'back.service': `${RUNS}Restart=always\n`, 'dead.service': RUNS });
    await machine.start(['back.service', 'dead.service'], true);
    const before = inside.systemd.peek('back.service')?.invocation;
    inside.systemd.kill('back.service');
    inside.systemd.kill('dead.service');
    expect(await machine.statuses(['back.service', 'dead.service'])).toMatchObject([
      { active: 'activating', sub: 'auto-restart' },
      { active: 'failed', sub: 'failed' },
    ]);
    await expect.poll(async () => (await machine.statuses(['back.service']))[0]?.sub).toBe('running');
    expect(inside.systemd.peek('back.service')?.invocation).not.toBe(before);
  });

  test('launched units come back after a reboot', async () => {
    const { at, inside } = fresh();
    const machine = await connect(at);
    await install(machine, { 'boot.service': RUNS });
    expect((await machine.start(['boot.service'], true))[0]?.result).toBe('done');
    inside.reboot();
    const again = await connect(at);
    await expect.poll(async () => (await again.statuses(['boot.service']))[0]?.active).toBe('active');
  });

  test('enable makes the links that [Install] names', async () => {
    const { at, inside } = fresh();
    const machine = await connect(at);
    await install(machine, { 'wanted.service': `${RUNS}[Install]\nWantedBy=multi-user.target\n` });
    await machine.enable(['wanted.service']);
    expect(inside.wantedBy('multi-user.target')).toContain('wanted.service');
    expect((await machine.exec(['systemctl', 'is-enabled', 'wanted.service'])).stdout).toBe('enabled\n');
  });

  test('commands: what is simulated, and a clear 127 for the rest', async () => {
    const { at } = fresh();
    const machine = await connect(at);
    await install(machine, { 'said.service': oneshot('/bin/echo "hello there"', 'RemainAfterExit=yes\n') });
    await machine.start(['said.service'], true);
    expect((await machine.exec(['hostname'])).stdout).toBe(`${at.name}\n`);
    expect((await machine.exec(['cat'], { stdin: 'in and out' })).stdout).toBe('in and out');
    expect((await machine.exec(['sh', '-c', 'exit 9'])).code).toBe(9);
    expect((await machine.exec(['systemctl', 'status', 'said.service'])).stdout).toContain(
      'Active: active (exited)',
    );
    const lines = (
      await machine.exec(['journalctl', '-u', 'said.service', '-o', 'json', '--no-pager'])
    ).stdout
      .trim()
      .split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { MESSAGE: string }).MESSAGE)).toContain('hello there');
    const unknown = await machine.exec(['apt', 'install', 'cowsay']);
    expect(unknown).toMatchObject({
      code: 127,
      stderr: 'hollow machine: not simulated: apt install cowsay\n',
    });
  });
});

describe('faults', () => {
  test('files: a foreign unit, a full disk', async () => {
    const { at, inside } = fresh();
    const machine = await connect(at);
    expect(await failed(install(machine, { 'ssh.service': RUNS }))).toMatchObject({ code: 'unit-foreign' });
    inside.faults.diskFull = true;
    expect(await failed(install(machine, { 'a.service': RUNS }))).toMatchObject({ code: 'disk-full' });
    inside.faults.diskFull = false;
    expect((await machine.manifest()).units).toEqual([]);
  });

  test('login: refused key, silence, changed host key', async () => {
    const { at, inside } = fresh();
    inside.faults.refuseAuth = true;
    expect(await failed(connect(at))).toMatchObject({ code: 'machine-auth', exit: 4 });
    inside.faults.refuseAuth = false;
    inside.faults.hang = true;
    expect(await failed(connect(at, { timeoutMs: 200 }))).toMatchObject({
      code: 'machine-unreachable',
      exit: 4,
    });
    inside.faults.hang = false;
    expect(await failed(connect({ ...at, knownHosts: '/dev/null' }))).toMatchObject({
      code: 'host-key-unknown',
    });
    const unknown = await failed(connect({ ...at, identity: join(dir, 'host_ed25519') }));
    expect(unknown).toMatchObject({ code: 'machine-auth' });
  });

  test('sudo, a forbidden socket, dropped connections, slowness', async () => {
    const { at, inside } = fresh();
    const plain = await connect(at, { user: 'ops' });
    expect((await plain.facts()).sudo).toBe('sudo');
    await install(plain, { 'ops.service': RUNS });
    expect((await plain.start(['ops.service'], true))[0]?.result).toBe('done');
    inside.faults.sudoRefused = true;
    const refused = await connect(at, { user: 'ops' });
    expect(await failed(refused.statuses(['ops.service']))).toMatchObject({ code: 'sudo-refused', exit: 4 });
    inside.faults.forbidStreamlocal = true;
    const bridged = await connect(at);
    expect((await bridged.statuses(['ops.service']))[0]?.active).toBe('active');
    inside.faults.dropAfter = 1;
    const dropped = await connect(at);
    expect(await failed(dropped.facts().then(() => dropped.manifest()))).toMatchObject({
      code: 'machine-unreachable',
    });
    inside.faults.dropAfter = null;
    inside.faults.slowMs = 120;
    const slow = await connect(at);
    const start = performance.now();
    await slow.facts();
    expect(performance.now() - start).toBeGreaterThan(100);
  });
});

test('ids are the same for the same name and number, and known_hosts names every port', async () => {
  const second = await mkdtemp(join(tmpdir(), 'cluster-hollow-'));
  const other = await hollowUp({ machines: 2, stateDir: second, name: 'hollow' });
  expect(other.machines.map(({ id }) => id)).toEqual(lab.machines.slice(0, 2).map(({ id }) => id));
  const known = await readFile(other.machines[0]!.knownHosts, 'utf8');
  for (const { port } of other.machines) expect(known).toContain(`[127.0.0.1]:${port} ssh-ed25519 `);
  await other.close();
  await rm(second, { recursive: true, force: true });
});

test('a lab in a process of its own outlives whoever started it, replaces a key that cannot be read, and goes when told', async () => {
  const home = await mkdtemp(join(tmpdir(), 'cluster-hollow-'));
  const entry = join(home, 'serve.mts');
  const room = new URL('../../src/lib/lab/hollow/process.ts', import.meta.url).href;
  const options = { name: 'apart', machines: 2, stateDir: join(home, 'state') };
  const serve = `import { runHollowProcess } from ${JSON.stringify(room)};\nawait runHollowProcess(${JSON.stringify(options)});\n`;
  await writeFile(entry, serve);
  const said: string[] = [];
  const start = () =>
    startHollowProcess({
      ...options,
      argv: ['--import', import.meta.resolve('tsx'), entry],
      onProgress: (line) => void said.push(line),
    });
  const state = await start();
  expect(state.machines.map(({ name }) => name)).toEqual(['apart-1', 'apart-2']);
  expect((await (await connect(state.machines[1]!)).facts()).machineId).toBe(state.machines[1]!.id);
  expect((await start()).pid).toBe(state.pid);
  expect(said).toEqual([]);

  await writeFile(state.machines[0]!.identity, '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n');
  const again = await start();
  expect(said).toEqual([expect.stringContaining('id_ed25519 cannot be read')]);
  expect(again.pid).not.toBe(state.pid);
  expect((await (await connect(again.machines[1]!)).facts()).machineId).toBe(state.machines[1]!.id);

  expect(await hollowDown(options.stateDir)).toBe(true);
  expect(await hollowStatus(options.stateDir)).toBeNull();
  expect(await hollowDown(options.stateDir)).toBe(false);
  await rm(home, { recursive: true, force: true });
});
