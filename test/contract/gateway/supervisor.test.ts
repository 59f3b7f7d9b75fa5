import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, readProcesses } from '../../../src/lib/gateway/haproxy/process/socket.ts';
import { Supervisor } from '../../../src/lib/gateway/haproxy/process/supervisor.ts';
import type { PoolServer } from '../../../src/lib/gateway/haproxy/serving.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/port.ts';
import {
  type Backend,
  backend,
  get,
  handMade,
  load,
  renderHandMade,
  server,
  temporary,
  testLogger,
  upgraded,
} from './support/process.ts';

const place = temporary();
const { logger, lines } = testLogger();
let supervisor: Supervisor;
let listen: number;
let a: Backend;
let b: Backend;

const fresh = (): Supervisor =>
  new Supervisor({
    directory: place.dir,
    binary: 'haproxy',
    render: renderHandMade,
    logger,
    maxDraining: 10,
    listenerDirectory: `${place.dir}/listeners`,
  });
const serve = (
  hosts: Record<string, string>,
  pools: Record<string, Record<string, PoolServer>>,
  extra = '',
) => supervisor.apply(handMade({ listen, admin: supervisor.paths.admin, extra }, hosts, pools));
const processes = async () => {
  const [text = ''] = await ask(supervisor.paths.master, ['show proc']);
  return readProcesses(text);
};
const workerPid = async () => (await processes())?.worker?.pid;

beforeAll(async () => {
  supervisor = fresh();
  listen = await freePort();
  [a, b] = [await backend('a'), await backend('b')];
  expect(await serve({ x: 'A' }, { A: { s1: server(a.port) }, B: { s1: server(b.port) } })).toBe('start');
});

afterAll(async () => {
  await supervisor.stop();
  a.close();
  b.close();
  place.remove();
});

const pools = () => ({ A: { s1: server(a.port) }, B: { s1: server(b.port) } });

describe('one HAProxy', () => {
  test('switches under load without a reload and without a failure', async () => {
    const pid = await workerPid();
    const going = load(listen, 'x');
    for (let turn = 0; turn < 10; turn++) {
      expect(await serve({ x: turn % 2 === 0 ? 'B' : 'A' }, pools())).toBe('runtime');
      await sleep(40);
      expect((await get(listen, 'x')).body).toBe(turn % 2 === 0 ? 'b' : 'a');
    }
    const { total, bodies, failed } = await going.end();
    expect(failed).toEqual([]);
    expect(total).toBeGreaterThan(100);
    expect([...bodies.keys()].sort()).toEqual(['a', 'b']);
    expect(await workerPid()).toBe(pid);
  });

  test('adds, moves, weighs and removes servers under load without a reload', async () => {
    const pid = await workerPid();
    const going = load(listen, 'x');
    const pool = (s: Record<string, PoolServer>) => serve({ x: 'A' }, { A: s, B: {} });
    expect(await pool({ s1: server(a.port), s2: server(b.port) })).toBe('runtime');
    const before = b.hits();
    await eventually('the new server is used', () => b.hits() > before);
    expect(await pool({ s1: server(a.port), s2: server(b.port, 0) })).toBe('runtime');
    await sleep(50);
    const drained = b.hits();
    await sleep(100);
    expect(b.hits()).toBe(drained);
    expect(await pool({ s1: server(b.port), s2: server(b.port, 0) })).toBe('runtime');
    await sleep(50);
    const left = a.hits();
    await sleep(100);
    expect(a.hits()).toBe(left);
    expect(await pool({ s2: server(b.port, 5) })).toBe('runtime');
    const { failed } = await going.end();
    expect(failed).toEqual([]);
    expect(await workerPid()).toBe(pid);
    await eventually('the removed server is deleted', async () => {
      const [state = ''] = await supervisor.ask(['show servers state A']);
      return !/ A \d+ s1 /.test(state);
    });
    await serve({ x: 'A' }, pools());
  });

  test('a server that leaves finishes its requests, and one that comes back is served at once', async () => {
    await serve({ x: 'A' }, { A: { s1: server(a.port), s2: server(b.port, 0) }, B: {} });
    const slow = get(listen, 'x', '/?wait=600');
    await sleep(100);
    await serve({ x: 'A' }, { A: { s2: server(b.port, 1) }, B: {} });
    expect((await get(listen, 'x')).body).toBe('b');
    expect(await serve({ x: 'A' }, { A: { s1: server(a.port) }, B: {} })).toBe('runtime');
    expect((await get(listen, 'x')).body).toBe('a');
    expect(await slow).toEqual({ status: 200, body: 'a' });
  });

  test('a change of structure reloads under load without a failure; a WebSocket lives on', async () => {
    await serve({ x: 'A' }, pools());
    const { socket, heard } = upgraded(listen, 'x');
    await eventually('upgraded', () => heard().endsWith('a:'));
    const pid = await workerPid();
    const going = load(listen, 'x');
    for (let turn = 0; turn < 4; turn++) {
      const extra = `backend more${turn}\n  http-request return status 204`;
      expect(await serve({ x: turn % 2 === 0 ? 'B' : 'A' }, pools(), extra)).toBe('reload');
    }
    const { total, failed } = await going.end();
    expect(failed).toEqual([]);
    expect(total).toBeGreaterThan(100);
    const now = await processes();
    expect(now?.worker?.pid).not.toBe(pid);
    expect(now?.old).toContain(pid);
    socket.write('still here');
    await eventually('echoed', () => heard().endsWith('a:still here'));
    socket.destroy();
  });

  test('a configuration that HAProxy refuses changes nothing, and neither does one that cannot listen', async () => {
    await serve({ x: 'A' }, pools());
    const pid = await workerPid();
    await expect(serve({ x: 'B' }, pools(), 'backend b!d')).rejects.toMatchObject({
      code: 'haproxy-config',
      message: expect.stringContaining("character '!'"),
    });
    const taken = `frontend other\n  bind 127.0.0.1:${a.port}\n  default_backend A`;
    await expect(serve({ x: 'B' }, pools(), taken)).rejects.toMatchObject({ code: 'haproxy-reload' });
    expect((await get(listen, 'x')).body).toBe('a');
    expect(await workerPid()).toBe(pid);
    expect(await serve({ x: 'B' }, pools())).toBe('runtime');
    expect((await get(listen, 'x')).body).toBe('b');
  });

  test('killed, it is back within a second, with what was changed at run time', async () => {
    await serve({ x: 'A' }, pools());
    await serve({ x: 'B' }, pools());
    for (const which of ['worker', 'master'] as const) {
      const before = await processes();
      process.kill((which === 'worker' ? before?.worker?.pid : before?.pid) ?? 0, 'SIGKILL');
      const killed = Date.now();
      const another = async () => ((await processes().catch(() => null))?.pid ?? before?.pid) !== before?.pid;
      await eventually('another master', another);
      await eventually('served again', async () => (await get(listen, 'x')).body === 'b');
      expect(Date.now() - killed).toBeLessThan(1500);
    }
    expect(lines.filter((line) => line.startsWith('error:')).length).toBeGreaterThan(0);
  });

  test('a successor takes it over, applies what differs, and starts it again when it dies', async () => {
    await serve({ x: 'A' }, pools());
    const pid = await workerPid();
    await supervisor.leave();
    const going = load(listen, 'x');
    supervisor = fresh();
    expect(await supervisor.adopt()).toBe(true);
    expect(await serve({ x: 'B' }, pools())).toBe('runtime');
    expect(await workerPid()).toBe(pid);
    expect((await get(listen, 'x')).body).toBe('b');
    expect((await going.end()).failed).toEqual([]);
    const master = (await processes())?.pid ?? 0;
    process.kill(master, 'SIGKILL');
    await eventually(
      'another master',
      async () => ((await processes().catch(() => null))?.pid ?? master) !== master,
    );
    await eventually('served again', async () => (await get(listen, 'x')).body === 'b');
  });

  test('a successor that cannot know what runs reloads it', async () => {
    await serve({ x: 'A' }, pools());
    await supervisor.leave();
    await ask(supervisor.paths.admin, ['set map hosts.map x B']);
    supervisor = fresh();
    expect(await supervisor.adopt()).toBe(true);
    expect(await serve({ x: 'A' }, pools())).toBe('reload');
    expect((await get(listen, 'x')).body).toBe('a');
  });
});
