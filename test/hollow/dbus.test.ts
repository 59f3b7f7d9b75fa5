import { type ChildProcess, spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Bus, BusClosed, BusError, connectBus } from '../../src/lib/machine/systemd/dbus.ts';
import { unitPath } from '../../src/lib/machine/systemd/names.ts';
import { listening } from '../support/port.ts';

const DAEMON = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
} as const;

describe('a bus on a real dbus-daemon', () => {
  let daemon: ChildProcess;
  let path: string;

  beforeAll(async () => {
    daemon = spawn('dbus-daemon', ['--session', '--print-address', '--nofork'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const address = await new Promise<string>((resolve) =>
      daemon.stdout?.once('data', (text) => resolve(String(text))),
    );
    path = /path=([^,\s]+)/.exec(address)?.[1] ?? '';
  });
  afterAll(() => daemon.kill());

  const open = async (): Promise<Bus> => connectBus(connect(path));

  test('answers many calls at once', async () => {
    const bus = await open();
    const answers = await Promise.all(
      Array.from({ length: 500 }, () => bus.call({ ...DAEMON, member: 'GetId' })),
    );
    expect(new Set(answers.map(([id]) => id)).size).toBe(1);
    bus.close();
  });

  test('gives errors their D-Bus name', async () => {
    const bus = await open();
    const error = await bus
      .call({ ...DAEMON, destination: 'no.such.name', member: 'X' })
      .catch((one: unknown) => one);
    expect(error).toBeInstanceOf(BusError);
    expect(error).toMatchObject({ dbusName: 'org.freedesktop.DBus.Error.ServiceUnknown' });
    bus.close();
  });

  test('hears a signal that a later call causes', async () => {
    const bus = await open();
    const heard = new Promise((resolve) => {
      bus.on("type='signal',member='NameOwnerChanged',arg0='a.b'", (signal) => {
        if (signal.member === 'NameOwnerChanged' && signal.body[0] === 'a.b') resolve(signal.body);
      });
    });
    await bus.call({ ...DAEMON, member: 'RequestName', signature: 'su', body: ['a.b', 0] });
    expect(await heard).toHaveLength(3);
    bus.close();
  });

  test('leaves no call unanswered when it is closed', async () => {
    const bus = await open();
    const waiting = bus.call({ ...DAEMON, member: 'GetId' });
    bus.close();
    await expect(waiting).rejects.toBeInstanceOf(BusClosed);
    await expect(bus.call({ ...DAEMON, member: 'GetId' })).rejects.toBeInstanceOf(BusClosed);
  });
});

describe('what is no bus', () => {
  test('is refused at login', async () => {
    const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const port = await listening(server);
    await expect(connectBus(connect(port, '127.0.0.1'))).rejects.toThrow('refused the login');
    server.close();
  });

  test('may end without a word', async () => {
    const stream = new PassThrough();
    const bus = connectBus(stream);
    stream.destroy();
    await expect(bus).rejects.toBeInstanceOf(BusClosed);
  });
});

describe('unitPath', () => {
  test.each([
    ['ssh.service', 'ssh_2eservice'],
    ['demo@1.service', 'demo_401_2eservice'],
    ['9a-b.mount', '_39a_2db_2emount'],
  ])('%s', (unit, path) => expect(unitPath(unit)).toBe(`/org/freedesktop/systemd1/unit/${path}`));
});
