import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { HolderClient } from '../../src/lib/machine/held/client.ts';
import { HeldMachine } from '../../src/lib/machine/held/machine.ts';
import {
  connectMachine,
  type Machine,
  type MachineTarget,
  type UnitChanges,
} from '../../src/lib/machine/index.ts';
import { startCli } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';

const SSH = { timeoutMs: 2_000, strictHostKeyChecking: 'yes', config: null } as const;
const RUNS = '[Service]\nExecStart=/bin/sleep infinity\n';

let dir: string;
let lab: HollowLab;
let machine: Machine;
let stop: AbortController;

function target(): MachineTarget {
  const { address, port, user, identity, knownHosts } = lab.machines[0]!;
  return { address, port, user, identity, knownHosts };
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cluster-watch-'));
  lab = await hollowUp({ machines: 1, stateDir: dir, name: 'watch', restartMs: 20 });
  machine = await connectMachine(target(), SSH);
  stop = new AbortController();
});

afterEach(async () => {
  stop.abort();
  machine.close();
  await lab.close();
  await rm(dir, { recursive: true, force: true });
});

async function install(units: readonly string[]): Promise<void> {
  const files = units.map((unit) => ({ unit, text: RUNS, hash: 'abc1234', launched: true }));
  await machine.apply({ install: files, remove: [] });
  await machine.reload();
}

/** Everything that a watch says, as it comes. */
function listen(of: Machine, units?: readonly string[]) {
  const heard: UnitChanges[] = [];
  const ended = (async () => {
    for await (const changes of of.watch({ signal: stop.signal, ...(units && { units }) }))
      heard.push(changes);
    return 'ended';
  })().catch((error: unknown) => error);
  const latest = (unit: string): string | undefined =>
    heard.flatMap(({ states }) => states).findLast((state) => state.unit === unit)?.active;
  const jobs = (unit: string): string[] =>
    heard.flatMap((changes) => changes.jobs.flatMap((job) => (job.unit === unit ? job.result : [])));
  return { heard, ended, latest, jobs };
}

const seen = (what: string, check: () => boolean): Promise<void> =>
  eventually(what, async () => check(), 5_000);

test('says the states first, then starts, failures, stops and removals', async () => {
  await install(['a.service', 'b.service']);
  await machine.start(['a.service'], true);
  const watch = listen(machine, ['a.service', 'b.service', 'none.service']);
  await seen('the first states', () => watch.heard.length === 1);
  expect(watch.heard[0]).toEqual({
    initial: true,
    jobs: [],
    reloaded: false,
    states: [
      { unit: 'a.service', load: 'loaded', active: 'active', sub: 'running' },
      { unit: 'b.service', load: 'loaded', active: 'inactive', sub: 'dead' },
      { unit: 'none.service', load: 'not-found', active: 'inactive', sub: 'dead' },
    ],
  });

  await machine.start(['b.service'], true);
  await seen('b is active', () => watch.latest('b.service') === 'active');
  expect(watch.jobs('b.service')).toEqual(['done']);
  lab.simulations[0]!.systemd.kill('a.service', 'SIGKILL');
  await seen('a failed', () => watch.latest('a.service') === 'failed');
  await machine.stop(['b.service'], true);
  await seen('b is inactive', () => watch.latest('b.service') === 'inactive');

  await machine.apply({ install: [], remove: ['b.service'] });
  await machine.reload();
  await seen('the reload', () => watch.heard.some(({ reloaded }) => reloaded));
  const last = watch.heard.flatMap(({ states }) => states).findLast(({ unit }) => unit === 'b.service');
  expect(last).toMatchObject({ load: 'not-found', active: 'inactive' });
  expect(watch.heard.filter(({ initial }) => initial)).toHaveLength(1);
  stop.abort();
  expect(await watch.ended).toBe('ended');
});

test('two match rules serve 100 units, and changes that nobody reads are merged', async () => {
  const units = Array.from({ length: 100 }, (_, index) => `u${index}.service`);
  await install(units);
  const { requests } = lab.simulations[0]!;
  const before = requests.length;
  const changes = machine.watch({ units, signal: stop.signal })[Symbol.asyncIterator]();
  expect((await changes.next()).value).toMatchObject({ initial: true });
  for (let round = 0; round < 2; round++) {
    await machine.start(units, true);
    await machine.stop(units, true);
  }
  await machine.start(units, true);
  const { value } = await changes.next();
  expect(value?.states).toHaveLength(100);
  expect(value?.states.every(({ active }: { active: string }) => active === 'active')).toBe(true);
  expect(value?.jobs).toHaveLength(100);
  const asked = requests.slice(before).filter((request) => request === 'dbus AddMatch');
  // Two of the watch, and one of each of the five calls above.
  expect(asked).toHaveLength(2 + 5);
});

test('without names it watches all that systemd has in memory, also what is loaded later', async () => {
  const watch = listen(machine);
  await seen('the first states', () => watch.heard.length === 1);
  expect(watch.latest('ssh.service')).toBe('active');
  await install(['new.service']);
  await machine.start(['new.service'], true);
  await seen('the new unit', () => watch.latest('new.service') === 'active');
});

test('ends with a typed error when the connection is lost', async () => {
  const watch = listen(machine, ['ssh.service']);
  await seen('the first states', () => watch.heard.length === 1);
  lab.servers[0]!.dropConnections();
  expect(await watch.ended).toMatchObject({ code: 'machine-unreachable', exit: 4 });
});

test('gives back its match rules when it ends', async () => {
  const watch = listen(machine, ['ssh.service']);
  await seen('the first states', () => watch.heard.length === 1);
  stop.abort();
  await watch.ended;
  await seen('the rules are gone', () => {
    const removed = lab.simulations[0]!.requests.filter((request) => request === 'dbus RemoveMatch');
    return removed.length === 2;
  });
});

test('through a held connection: states, changes, the end, and the loss of the connection', async () => {
  await install(['a.service']);
  const socket = join(dir, 'holder.sock');
  const options = { socket, ssh: SSH, starts: 2, idleMs: 60_000, targets: [target()] };
  const child = startCli(
    ['connections', 'hold'],
    dir,
    { ...process.env, HOME: dir },
    JSON.stringify(options),
  );
  const clients: HolderClient[] = [];
  try {
    await eventually('the holder listens', async () => {
      const client = await HolderClient.connect(socket);
      if (client !== null) clients.push(client);
      return client !== null;
    });
    const client = clients[0]!;
    await eventually('the machine is held', () => client.ask({ ask: 'use', target: target() }));
    const held = new HeldMachine(target(), client, () => Promise.reject(new Error('a login of its own')));
    const watch = listen(held, ['a.service']);
    await seen('the first states', () => watch.heard.length === 1);
    await held.start(['a.service'], true);
    await seen('a is active', () => watch.latest('a.service') === 'active');
    await sleep(50);
    stop.abort();
    expect(await watch.ended).toBe('ended');

    stop = new AbortController();
    const next = listen(held, ['a.service']);
    await seen('the first states again', () => next.latest('a.service') === 'active');
    lab.servers[0]!.dropConnections();
    expect(await next.ended).toMatchObject({ code: 'machine-unreachable', exit: 4 });
  } finally {
    for (const client of clients) client.close();
    child.child.kill();
    await child.ended;
  }
});
