import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll } from 'vitest';
import type { Serving } from '../../../../src/lib/gateway/haproxy/serving.ts';
import { type TranslateOptions, translate } from '../../../../src/lib/gateway/haproxy/translate/translate.ts';
import { freePort } from '../../../support/port.ts';
import { ensureHaproxy, optionsFor, type RunningHaproxy, runHaproxy, stateOf } from './haproxy-run.ts';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A small server that says who it is and what it was asked, or does what `handler` says. */
export class Backend {
  requests = 0;
  handler: Handler | null = null;
  readonly name: string;
  readonly #server: Server;

  constructor(name: string) {
    this.name = name;
    this.#server = createServer((request, response) => {
      this.requests++;
      if (this.handler !== null) return this.handler(request, response);
      const { method, url, headers } = request;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ name, method, url, headers }));
    });
    this.#server.on('upgrade', (_request, socket) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
      );
      socket.on('data', (part) => socket.write(`${name} heard ${part}`));
    });
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

export const frontend = (Route: string, BackendId = 'b1', Settings: object = {}) => ({
  Type: 'http',
  BackendId,
  Route,
  Settings,
});

export let port = 0;
export let dead = 0;
export const backends: Backend[] = [];
export let running: RunningHaproxy | undefined;
export let serving: Serving;

/** Two servers, and room for the HAProxy that `serve` starts, for the tests of one file. */
export function withBackends(): void {
  beforeAll(async () => {
    ensureHaproxy();
    port = await freePort();
    dead = await freePort();
    for (const name of ['s1', 's2']) backends.push(await new Backend(name).start());
  });
  afterAll(async () => {
    await running?.stop();
    for (const backend of backends) backend.stop();
  });
}

export const seen = (body: string) =>
  JSON.parse(body) as { name: string; method: string; url: string; headers: Record<string, string> };

/** Serves these objects besides a backend b1 (servers s1, s2), b2 (s2), half (one dead, s1), none, gone (all dead). */
export async function serve(
  objects: Record<string, unknown>,
  options: Partial<TranslateOptions> = {},
): Promise<void> {
  await running?.stop();
  for (const backend of backends) {
    backend.requests = 0;
    backend.handler = null;
  }
  const [s1, s2] = backends.map(({ url }) => ({ URL: url }));
  const nobody = { URL: `http://127.0.0.1:${dead}` };
  const state = stateOf({
    'backends/b1/backend': { Type: 'http' },
    'backends/b1/servers/s1': s1,
    'backends/b1/servers/s2': s2,
    'backends/b2/backend': { Type: 'http' },
    'backends/b2/servers/s2': s2,
    'backends/half/backend': { Type: 'http' },
    'backends/half/servers/dead': nobody,
    'backends/half/servers/s1': s1,
    'backends/none/backend': { Type: 'http' },
    'backends/gone/backend': { Type: 'http' },
    'backends/gone/servers/dead': nobody,
    ...objects,
  });
  running = await runHaproxy((directory) => {
    serving = translate(state, { ...optionsFor(`127.0.0.1:${port}`, directory), ...options });
    return serving;
  });
}
