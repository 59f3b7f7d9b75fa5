import { createServer, type Server } from 'node:net';

let nextPort = 10_000 + (process.pid % 220) * 100;

/**
 * A loopback port that was free a moment ago: below those that the system gives to connections, and from a hundred that
 * test processes side by side do not share.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = nextPort;
    nextPort = port % 100 === 99 ? port - 99 : port + 1;
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

/** Listens on a loopback port that the system chooses. */
export async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
