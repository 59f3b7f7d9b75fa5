import { createSocket, type Socket } from 'node:dgram';
import { readFile } from 'node:fs/promises';
import type { Report } from '../../../keep/reporter.ts';
import type { ServedRequest } from '../../model.ts';
import { writeWhole } from '../../write-whole.ts';
import { readRequestLog } from './log.ts';

/** Receives HAProxy's request log on a UDP port of the loopback. */
export class LogReceiver {
  readonly #logger: Report;
  readonly #onRequest: (request: ServedRequest) => void;
  #socket: Socket | undefined;

  constructor(logger: Report, onRequest: (request: ServedRequest) => void) {
    this.#logger = logger;
    this.#onRequest = onRequest;
  }

  /**
   * @param file keeps the port for the next process: the port is in the configuration, so another one means a reload.
   * @param isAdopted whether a HAProxy runs already that sends to the port in the file.
   * @returns `127.0.0.1:PORT`.
   */
  async listen(file: string, isAdopted: boolean): Promise<string> {
    const before = isAdopted ? Number(await readFile(file, 'utf8').catch(() => '0')) : 0;
    const port = await this.#bind(Number.isInteger(before) ? before : 0);
    await writeWhole(file, String(port));
    return `127.0.0.1:${port}`;
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  async #bind(preferred: number): Promise<number> {
    for (const port of preferred === 0 ? [0] : [preferred, 0]) {
      const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
      const bound = await new Promise<number | null>((resolve) => {
        socket.once('error', () => resolve(null));
        socket.bind(port, '127.0.0.1', () => resolve(socket.address().port));
      });
      if (bound === null) continue;
      socket.on('message', (data) => {
        const request = readRequestLog(data.toString());
        if (request !== null) this.#onRequest(request);
      });
      socket.on('error', (error) => this.#logger.warning(`request log: ${error.message}`));
      this.#socket = socket;
      return bound;
    }
    throw new Error('no UDP port is free on 127.0.0.1');
  }
}
