import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Described, inspected } from '../../../unit/discovery/support.ts';

/** Not Docker: the few answers of its interface that the registrator asks for, on a Unix socket. */
export class FakeDocker {
  readonly path = join(
    tmpdir(),
    `cluster-fake-docker-${process.pid}-${Math.random().toString(36).slice(2)}.sock`,
  );
  readonly containers = new Map<string, Described>();
  /** Commands that were run, and how they end. */
  readonly commands: string[] = [];
  exitCode = 0;
  #server: Server | undefined;
  #listeners = new Set<ServerResponse>();

  get address(): string {
    return `unix://${this.path}`;
  }

  async start(): Promise<void> {
    await rm(this.path, { force: true });
    const server = createServer((request, response) => this.#answer(request, response));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.path, resolve));
  }

  /** As a daemon that is gone: streams end, nobody listens. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#listeners.clear();
    server?.closeAllConnections();
    await new Promise((resolve) => server?.close(resolve) ?? resolve(undefined));
    await rm(this.path, { force: true });
  }

  run(id: string, of: Described): void {
    this.containers.set(id, { ...of, id });
    this.tell(id, 'start');
  }

  /** As `docker rm -f` does, after the signal. */
  gone(id: string, exitCode = 0): void {
    this.containers.delete(id);
    this.tell(id, 'die', { exitCode: String(exitCode) });
    this.tell(id, 'destroy');
  }

  tell(id: string, action: string, attributes: Readonly<Record<string, string>> = {}): void {
    const event = { Type: 'container', Action: action, Actor: { ID: id, Attributes: attributes } };
    for (const listener of this.#listeners) listener.write(`${JSON.stringify(event)}\n`);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const [path = ''] = (request.url ?? '').split('?');
    const json = (code: number, value: unknown): void => {
      response.writeHead(code, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
    };
    const [, first, id = '', what] = path.split('/');
    if (path === '/events') {
      response.writeHead(200, { 'Content-Type': 'application/json' }).flushHeaders();
      this.#listeners.add(response);
      request.socket.on('close', () => this.#listeners.delete(response));
    } else if (path === '/containers/json') {
      json(
        200,
        [...this.containers.keys()].map((key) => ({ Id: key })),
      );
    } else if (first === 'containers' && what === 'json') {
      const found = this.containers.get(id);
      if (found === undefined) json(404, { message: `No such container: ${id}` });
      else json(200, inspected(found));
    } else if (first === 'containers' && what === 'exec') {
      let body = '';
      request.on('data', (part) => (body += part));
      request.on('end', () => {
        this.commands.push((JSON.parse(body) as { Cmd: string[] }).Cmd.at(-1) ?? '');
        json(201, { Id: 'exec' });
      });
    } else if (first === 'exec' && what === 'start') {
      response.writeHead(200, { 'Content-Type': 'application/vnd.docker.raw-stream' }).end('output\n');
    } else if (first === 'exec') {
      json(200, { ID: 'exec', Running: false, ExitCode: this.exitCode });
    } else json(404, { message: `page not found: ${path}` });
  }
}
