import { createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export interface LocalTunnel {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens on a free loopback port and joins each connection with a stream that `open` gives. */
export async function listenTunnel(open: () => Promise<Duplex>): Promise<LocalTunnel> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // Data that arrives before the stream is there waits in the socket.
    socket.pause();
    socket.on('error', () => socket.destroy());
    open().then(
      (stream) => join(socket, stream),
      () => socket.destroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function join(socket: Socket, stream: Duplex): void {
  stream.on('error', () => socket.destroy());
  stream.on('close', () => socket.destroy());
  socket.on('close', () => stream.destroy());
  if (socket.destroyed) stream.destroy();
  else socket.pipe(stream).pipe(socket);
}
