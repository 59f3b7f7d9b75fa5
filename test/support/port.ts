import { createServer, type Server } from 'node:net';

const FIRST = 10_000;
const BLOCKS = 220;

let block: Promise<number> | undefined;
let next = 1;

/**
 * A loopback port that nothing listens on, for programs that cannot choose one themselves. It is below the ports that the
 * system gives to connections, and in a block of a hundred that belongs to this process alone: whoever holds the first port
 * of a block owns the others.
 */
export async function freePort(): Promise<number> {
  block ??= ownBlock();
  const first = await block;
  for (let tries = 0; tries < 99; tries++) {
    const port = first + next;
    next = next === 99 ? 1 : next + 1;
    const server = await tryPort(port);
    if (server === undefined) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
  throw new Error(`nothing is free from port ${first} to ${first + 99}`);
}

async function ownBlock(): Promise<number> {
  for (let tries = 0; tries < BLOCKS; tries++) {
    const first = FIRST + ((process.pid + tries) % BLOCKS) * 100;
    const server = await tryPort(first);
    if (server === undefined) continue;
    server.unref();
    return first;
  }
  throw new Error(`every block of ports from ${FIRST} is taken`);
}

function tryPort(port: number): Promise<Server | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

/** Listens on a loopback port that the system chooses. */
export async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
