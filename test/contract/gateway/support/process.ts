import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, createServer, request, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GatewayStatus } from '../../../../src/lib/gateway/admin.ts';
import type { PoolServer, Serving } from '../../../../src/lib/gateway/haproxy/serving.ts';
import { Reporter } from '../../../../src/lib/keep/index.ts';
import type { Write } from '../../../../src/lib/store/port.ts';
import { listening } from '../../../support/port.ts';

process.env.PATH = `${process.env.PATH}:/usr/sbin`;
execFileSync('haproxy', ['-v'], { stdio: 'ignore' });

/** Collects what a gateway logs. */
export function testLogger(): { logger: Reporter; lines: string[] } {
  const lines: string[] = [];
  return { logger: new Reporter('debug', (line) => void lines.push(line)), lines };
}

export function temporary(): { dir: string; remove: () => void } {
  const dir = mkdtempSync(join(tmpdir(), 'cluster-gateway-'));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

export interface Backend {
  readonly port: number;
  readonly server: Server;
  readonly hits: () => number;
  close(): void;
}

/** A real HTTP server that answers with its name, after `?wait=MS`, with `?status=CODE`. */
export async function backend(name: string): Promise<Backend> {
  let hits = 0;
  const server = createServer((incoming, response) => {
    hits++;
    const query = new URL(incoming.url ?? '/', 'http://x').searchParams;
    response.statusCode = Number(query.get('status') ?? 200);
    setTimeout(() => response.end(name), Number(query.get('wait') ?? 0));
  });
  // Echoes what comes over an upgraded connection, after its name.
  server.on('upgrade', (_request, socket) => {
    const accept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n${name}:`,
    );
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  const port = await listening(server);
  return {
    port,
    server,
    hits: () => hits,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One request, on a connection of its own where no agent is given; a broken one has status 0. */
export function get(port: number, host: string, path = '/', agent?: Agent): Promise<Answer> {
  return new Promise((resolve) => {
    const options = { port, host: '127.0.0.1', path, headers: { host }, agent: agent ?? false };
    const asked = request(options, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        body += part;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', (error) => resolve({ status: 0, body: error.message }));
    });
    asked.on('error', (error) => resolve({ status: 0, body: error.message }));
    asked.end();
  });
}

/** What a gateway says of itself. */
export const gatewayStatus = async (admin: number): Promise<GatewayStatus> =>
  JSON.parse((await get(admin, 'admin', '/v1/status')).body);

/** Writes of these values below a prefix; null removes. */
export const writesOf = (prefix: string, values: Record<string, object | string | null>): Write[] =>
  Object.entries(values).map(([path, value]) =>
    value === null
      ? { remove: prefix + path }
      : { put: prefix + path, value: typeof value === 'string' ? value : JSON.stringify(value) },
  );

/** A WebSocket's connection, as far as HAProxy looks at it. */
export function upgraded(port: number, host: string): { socket: Socket; heard: () => string } {
  let heard = '';
  const socket = connect(port, '127.0.0.1');
  socket.on('data', (part) => {
    heard += part;
  });
  socket.on('error', () => undefined);
  const headers = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==`;
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n${headers}\r\nSec-WebSocket-Version: 13\r\n\r\n`);
  return { socket, heard: () => heard };
}

export interface Load {
  /** Ends it. @returns how many requests were answered by whom, and what was no 200. */
  end(): Promise<{ total: number; bodies: Map<string, number>; failed: string[] }>;
}

/** Ten clients, half of them with connections that stay open, until told to end. */
export function load(port: number, host: string, clients = 10): Load {
  const bodies = new Map<string, number>();
  const failed: string[] = [];
  let total = 0;
  let going = true;
  const agent = new Agent({ keepAlive: true });
  const fresh = new Agent({ keepAlive: false });
  const running = Array.from({ length: clients }, async (_, index) => {
    while (going) {
      const { status, body } = await get(port, host, '/', index % 2 === 0 ? agent : fresh);
      total++;
      if (status === 200) bodies.set(body, (bodies.get(body) ?? 0) + 1);
      else failed.push(`${status} ${body}`);
      await sleep(2);
    }
  });
  return {
    end: async () => {
      going = false;
      await Promise.all(running);
      agent.destroy();
      fresh.destroy();
      return { total, bodies, failed };
    },
  };
}

export const server = (port: number, weight = 1): PoolServer => ({
  address: '127.0.0.1',
  port,
  weight,
  // Idle connections hold up the deletion of a server that left.
  keywords: 'pool-purge-delay 200ms',
});

/** A configuration by hand: host -> pool by a map, and pools. Stands for a translation where only HAProxy's running matters. */
export function handMade(
  options: { listen: number; admin: string; extra?: string },
  hosts: Record<string, string>,
  pools: Record<string, Record<string, PoolServer>>,
): Serving {
  const names = Object.keys(pools);
  return {
    structure: [
      'global',
      `  stats socket ${options.admin} mode 600 level admin expose-fd listeners`,
      '  maxconn 2000',
      'defaults',
      '  mode http',
      '  timeout connect 2s',
      '  timeout client 60s',
      '  timeout server 60s',
      '  timeout tunnel 1h',
      '  retries 1',
      '  option redispatch 1',
      '  option idle-close-on-response',
      'frontend in',
      `  bind 127.0.0.1:${options.listen}`,
      '  use_backend %[req.hdr(host),host_only,map_str(hosts.map,none)]',
      'backend none',
      '  http-request return status 404',
      ...names.flatMap((name) => [`backend ${name}`, '  balance roundrobin', `#servers ${name}`]),
      options.extra ?? '',
      '',
    ].join('\n'),
    pools: new Map(names.map((name) => [name, new Map(Object.entries(pools[name] ?? {}))])),
    maps: new Map([['hosts.map', new Map(Object.entries(hosts))]]),
    files: new Map(),
    leftOut: [],
    notes: [],
  };
}

export function renderHandMade(serving: Serving): string {
  return serving.structure.replace(/^#servers (.*)$/gm, (_, pool: string) =>
    [...(serving.pools.get(pool) ?? [])]
      .map(([name, s]) => `  server ${name} ${s.address}:${s.port} weight ${s.weight} ${s.keywords}`)
      .join('\n'),
  );
}
