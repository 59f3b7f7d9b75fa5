import { createServer, type Server } from 'node:http';
import { ClusterError } from '../error.ts';
import type { Note } from './model.ts';
import type { ProxyStatus } from './proxy.ts';
import type { BreakerStatus } from './requests/requests.ts';
import type { Top } from './top.ts';

/** `GET /v1/status` of a gateway. */
export interface GatewayStatus {
  readonly machine: string;
  readonly hostname: string;
  readonly version: string;
  /** Of the traffic registry, as it is served. */
  readonly revision: number;
  readonly proxy: ProxyStatus;
  readonly severity: string;
  readonly storeConnected: boolean;
  /** Why the newest state is not served; null when it is. */
  readonly failing: string | null;
  /** Milliseconds from the arrival of the last change until it was live. */
  readonly lastChangeMs: number;
  readonly leftOut: readonly Note[];
  readonly notes: readonly Note[];
  readonly breakers: readonly BreakerStatus[];
}

export interface AdminSource {
  status(): GatewayStatus;
  top(): Promise<Top>;
  metrics(): Promise<string>;
}

/** `HOST:PORT`; @throws ClusterError `bad-address`. */
export function readAddress(text: string): { host: string; port: number } {
  const match = /^(\[[0-9a-f:.]+\]|[^:/\s]+):(\d{1,5})$/i.exec(text);
  if (match !== null && Number(match[2]) < 65_536)
    return { host: (match[1] ?? '').replace(/^\[|\]$/g, ''), port: Number(match[2]) };
  throw new ClusterError('bad-address', `'${text}' is not HOST:PORT`, { hint: 'such as 127.0.0.1:8182' });
}

/**
 * The gateway's own HTTP interface: read only, JSON and Prometheus text.
 * @throws ClusterError `gateway-running` where the address is taken.
 */
export async function listenAdmin(address: string, source: AdminSource): Promise<Server> {
  const { host, port } = readAddress(address);
  const server = createServer((request, response) => {
    answer(source, request.method ?? '', (request.url ?? '').replace(/\?.*$/, '')).then(
      ({ status, type, body }) => {
        response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
        response.end(body);
      },
      (error: unknown) => {
        response.writeHead(503, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      reject(
        new ClusterError(
          taken ? 'gateway-running' : 'bad-address',
          taken ? `something else listens on ${address}` : `cannot listen on ${address}: ${error.message}`,
          {
            hint: 'cluster gateway status shows whether another gateway runs here; --admin chooses another address',
          },
        ),
      );
    });
    server.listen(port, host, resolve);
  });
  return server;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

async function answer(source: AdminSource, method: string, path: string): Promise<Answer> {
  if (method !== 'GET' && method !== 'HEAD') return json(405, { error: 'only GET' });
  switch (path) {
    case '/v1/status':
      return json(200, source.status());
    case '/v1/top':
      return json(200, await source.top());
    case '/metrics':
      return { status: 200, type: 'text/plain; version=0.0.4', body: await source.metrics() };
    default:
      return json(404, { error: 'not found' });
  }
}

function json(status: number, value: unknown): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n` };
}
