import { buffer, text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { MachineTarget, SshOptions } from '../../../src/lib/machine/index.ts';
import { openTransport } from '../../../src/lib/machine/ssh/open.ts';
import {
  ChannelRefused,
  type RemoteCommand,
  type Transport,
} from '../../../src/lib/machine/ssh/transport.ts';
import { connectBus } from '../../../src/lib/machine/systemd/dbus.ts';

/** An SSH server to hold a transport against. */
export interface Server {
  readonly target: MachineTarget;
  readonly options: SshOptions;
  /** A port on its loopback where something says hello at once. */
  readonly greeter: number;
  /** A path where a D-Bus listens; null = none. */
  readonly bus: string | null;
  /** Cuts all connections. */
  cut(): void;
  stop(): Promise<void>;
}

async function outcome(
  command: RemoteCommand,
  stdin?: string,
): Promise<[string, string, number | undefined]> {
  command.stdin.on('error', () => undefined);
  command.stdin.end(stdin);
  const [out, err, end] = await Promise.all([text(command.stdout), text(command.stderr), command.ended]);
  return [out, err, end?.code];
}

/** What both transports promise; `serve` starts the server, once for all tests. */
export function transportContract(
  title: string,
  kind: 'ssh2' | 'openssh',
  serve: () => Promise<Server>,
): void {
  describe(`${kind} on ${title}`, () => {
    let server: Server;
    const opened: Transport[] = [];
    const open = async (): Promise<Transport> => {
      const transport = await openTransport(server.target, { ...server.options, transport: kind });
      opened.push(transport);
      return transport;
    };
    beforeAll(async () => {
      server = await serve();
    });
    afterEach(() => {
      for (const transport of opened.splice(0)) transport.close();
    });
    afterAll(() => server.stop());

    test('is what was asked for, and passes output and exit code', async () => {
      const transport = await open();
      expect(transport.kind).toBe(kind);
      expect(await outcome(await transport.run("echo 'a  b'"))).toEqual(['a  b\n', '', 0]);
      expect(await outcome(await transport.run('false'))).toEqual(['', '', 1]);
      expect(await outcome(await transport.run('exit 255'))).toEqual(['', '', 255]);
    });

    test('passes stdin of a megabyte, and takes a command that does not read it', async () => {
      const transport = await open();
      const sent = 'x'.repeat(1 << 20);
      expect((await outcome(await transport.run('cat'), sent))[0]).toBe(sent);
      expect((await outcome(await transport.run('echo done'), sent))[0]).toBe('done\n');
    });

    test('keeps the two outputs apart', async () => {
      const [out, err, code] = await outcome(await (await open()).run('cat /no/such/file'));
      expect([out, code]).toEqual(['', 1]);
      expect(err).toMatch(/No such file/);
    });

    test('runs several commands at once', async () => {
      const transport = await open();
      const words = Array.from({ length: 6 }, (_, n) => `word ${n}`);
      const all = await Promise.all(words.map(async (word) => outcome(await transport.run(`echo ${word}`))));
      expect(all.map(([out]) => out.trim())).toEqual(words);
    });

    test('refuses a session that sshd does not open, and lives on', async () => {
      const transport = await open();
      const held: RemoteCommand[] = [];
      const refused = await (async () => {
        for (let n = 0; n < 12; n++) held.push(await transport.run('cat'));
      })().catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(ChannelRefused);
      expect(held).toHaveLength(10);
      for (const command of held) command.stdin.end();
      for (const command of held) {
        command.stdout.resume();
        command.stderr.resume();
        expect((await command.ended)?.code).toBe(0);
      }
      await expect
        .poll(() => transport.run('echo again').then(outcome, () => null))
        .toEqual(['again\n', '', 0]);
    });

    test('opens a TCP stream, and says that nothing listens', async () => {
      const transport = await open();
      const stream = await transport.stream({ host: '127.0.0.1', port: server.greeter });
      expect(String(await new Promise((resolve) => stream.once('data', resolve)))).toMatch(/^SSH-2\.0-/);
      stream.destroy();
      await expect(transport.stream({ host: '127.0.0.1', port: 1 })).rejects.toBeInstanceOf(ChannelRefused);
    });

    test('opens the bus by its socket, more than once, and no other socket', async () => {
      const transport = await open();
      const nowhere = await transport.stream({ path: '/no/such.sock' }).then(buffer, () => Buffer.alloc(0));
      expect(nowhere).toHaveLength(0);
      if (server.bus === null) return;
      for (let n = 0; n < 2; n++) {
        const bus = await connectBus(await transport.stream({ path: server.bus }));
        const peer = { destination: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus' };
        const answer = await bus.call({ ...peer, interface: 'org.freedesktop.DBus', member: 'GetId' });
        expect(answer[0]).toMatch(/^[0-9a-f]{32}$/);
        bus.close();
      }
    });

    test('notices that the connection is gone, and what ran on it', async () => {
      const transport = await open();
      const command = await transport.run('cat');
      command.stdout.resume();
      command.stderr.resume();
      server.cut();
      await transport.gone;
      expect(await command.ended).toBeNull();
      const again = await transport.run('true').catch((error: unknown) => error);
      expect(again).toBeInstanceOf(Error);
      expect(again).not.toBeInstanceOf(ChannelRefused);
    });

    test('close ends what runs', async () => {
      const transport = await open();
      const command = await transport.run('cat');
      command.stdout.resume();
      command.stderr.resume();
      transport.close();
      await transport.gone;
      expect(await command.ended).toBeNull();
    });
  });
}
