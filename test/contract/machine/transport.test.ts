import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hollowUp } from '../../../src/lib/lab/hollow/lab.ts';
import { listening } from '../../support/port.ts';
import { SshServers } from '../../support/sshd.ts';
import { type Server, transportContract } from './transport.contract.ts';

/** A port that leads to another one and can cut what goes through it. */
async function cuttable(to: number): Promise<{ port: number; cut: () => void; close: () => void }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(to, '127.0.0.1');
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on('error', () => undefined);
      one.once('close', () => other.destroy());
      one.pipe(other);
    }
  });
  const port = await listening(server);
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  return {
    port,
    cut,
    close: () => {
      server.close();
      cut();
    },
  };
}

async function realSshd(): Promise<Server> {
  const servers = new SshServers();
  servers.key('good');
  const port = await servers.start([servers.pub('good')]);
  const via = await cuttable(port);
  const socket = servers.at('bus');
  const bus = await dbus(servers, socket);
  return {
    target: { address: '127.0.0.1', port: via.port, user: servers.user },
    options: {
      timeoutMs: 10_000,
      strictHostKeyChecking: 'yes',
      config: null,
      identity: servers.at('good'),
      knownHosts: servers.known('known', via.port),
    },
    greeter: port,
    bus: socket,
    cut: via.cut,
    stop: async () => {
      via.close();
      bus.kill();
      servers.stop();
    },
  };
}

/** A real message bus of its own: what a machine's is without systemd. */
async function dbus(servers: SshServers, socket: string): Promise<ChildProcess> {
  const config = servers.write(
    'bus.conf',
    `<busconfig><type>session</type><listen>unix:path=${socket}</listen><auth>EXTERNAL</auth><policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy></busconfig>`,
  );
  const child = spawn('dbus-daemon', [`--config-file=${config}`, '--nofork', '--print-address'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('exit', () => reject(new Error('dbus-daemon did not start')));
  });
  return child;
}

async function hollowSshd(): Promise<Server> {
  const stateDir = await mkdtemp(join(tmpdir(), 'transport-'));
  const lab = await hollowUp({ machines: 1, stateDir, name: 'transport' });
  const { address, port, user, identity, knownHosts } = lab.machines[0]!;
  const greeter = createServer((socket) => void socket.end('SSH-2.0-greeter\r\n'));
  return {
    target: { address, port, user, identity, knownHosts },
    options: { timeoutMs: 10_000, strictHostKeyChecking: 'yes', config: null },
    greeter: await listening(greeter),
    bus: '/run/dbus/system_bus_socket',
    cut: () => lab.servers[0]?.dropConnections(),
    stop: async () => {
      greeter.close();
      await lab.close();
      await rm(stateDir, { recursive: true });
    },
  };
}

for (const kind of ['ssh2', 'openssh'] as const) {
  transportContract("OpenSSH's sshd", kind, realSshd);
  transportContract('the hollow sshd', kind, hollowSshd);
}
