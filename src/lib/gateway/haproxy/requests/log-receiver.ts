import { chmod, chown, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import type { Report } from '../../../keep/reporter.ts';
import type { ServedRequest } from '../../model.ts';
import { readRequestLog } from './log.ts';

/** HAProxy's lines have at most 16 KiB; whatever has more is no line of it. */
const LONGEST_LINE = 65_536;

/** Receives HAProxy's request log on a Unix socket that nobody but HAProxy may write to. */
export class LogReceiver {
  readonly #logger: Report;
  readonly #onRequest: (request: ServedRequest) => void;
  readonly #connections = new Set<Socket>();
  #server: Server | undefined;

  constructor(logger: Report, onRequest: (request: ServedRequest) => void) {
    this.#logger = logger;
    this.#onRequest = onRequest;
  }

  /**
   * HAProxy keeps lines while nobody listens, and connects again by itself.
   * @param path in a directory that only this process and the worker may enter.
   * @param gid the worker's group; null = it runs as the same user as this process.
   */
  async listen(path: string, gid: number | null): Promise<void> {
    await rm(path, { force: true });
    const server = createServer((connection) => this.#read(connection));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    server.on('error', (error) => this.#logger.warning(`request log: ${error.message}`));
    if (gid !== null) await chown(path, process.getuid?.() ?? 0, gid);
    await chmod(path, gid === null ? 0o600 : 0o660);
    this.#server = server;
  }

  close(): void {
    this.#server?.close();
    this.#server = undefined;
    for (const connection of this.#connections) connection.destroy();
  }

  #read(connection: Socket): void {
    this.#connections.add(connection);
    connection.setEncoding('utf8');
    let rest = '';
    connection.on('data', (part: string) => {
      const lines = (rest + part).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LONGEST_LINE) connection.destroy();
      for (const line of lines) {
        const request = readRequestLog(line);
        if (request !== null) this.#onRequest(request);
      }
    });
    connection.on('error', () => undefined);
    connection.on('close', () => this.#connections.delete(connection));
  }
}
