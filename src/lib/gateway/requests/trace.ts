import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket, type Socket as Datagrams } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import type { SyslogTarget, Trace } from '../../traffic/index.ts';
import type { ServedRequest } from '../model.ts';

/** One request as vulcand's trace writes it, with only the headers that this trace asks for. */
export function traceRecord(
  { method, path, status, latencyMs, requestHeaders, responseHeaders }: ServedRequest,
  { ReqHeaders, RespHeaders }: Trace['Middleware'],
  prefix: string,
): string {
  const chosen = (names: readonly string[], values: ServedRequest['requestHeaders']) => {
    const byName = new Map(Object.entries(values).map(([name, value]) => [name.toLowerCase(), value]));
    const found = names.flatMap((name) => {
      const value = byName.get(name.toLowerCase());
      return value === undefined || value === '' ? [] : [[name, [value]]];
    });
    return found.length === 0 ? {} : { headers: Object.fromEntries(found) };
  };
  const record = {
    request: { method, url: path, ...chosen(ReqHeaders, requestHeaders) },
    response: { code: status, roundtrip: Math.max(0, latencyMs), ...chosen(RespHeaders, responseHeaders) },
  };
  return `${prefix}${JSON.stringify(record)}`;
}

/** Sends lines to syslog servers. What cannot be sent is dropped, so that tracing never delays anything. */
export class TraceSender {
  readonly #tcp = new Map<string, Socket>();
  readonly #loggers = new Map<string, ChildProcess>();
  #udp: { readonly 4: Datagrams; readonly 6: Datagrams } | undefined;

  send(target: SyslogTarget, text: string): void {
    const line = `<${target.facility * 8 + target.level}>${stamp(new Date())} cluster-gateway: ${text}`;
    if ('socket' in target.to) this.#local(target.to.socket, target, text);
    else if (target.to.protocol === 'tcp') this.#stream(target.to.host, target.to.port, `${line}\n`);
    else this.#datagram(target.to.host, target.to.port, line);
  }

  close(): void {
    for (const socket of this.#tcp.values()) socket.destroy();
    for (const child of this.#loggers.values()) child.kill();
    this.#udp?.[4].close();
    this.#udp?.[6].close();
    this.#udp = undefined;
  }

  #datagram(host: string, port: number, line: string): void {
    this.#udp ??= { 4: quiet(createSocket('udp4')), 6: quiet(createSocket('udp6')) };
    this.#udp[host.includes(':') ? 6 : 4].send(line, port, host, () => undefined);
  }

  #stream(host: string, port: number, line: string): void {
    const name = `${host}:${port}`;
    let socket = this.#tcp.get(name);
    if (socket === undefined) {
      socket = connect(port, host);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#tcp.delete(name));
      socket.unref();
      this.#tcp.set(name, socket);
    }
    if (socket.writableLength < 1 << 20) socket.write(line);
  }

  /** Node cannot send to a local datagram socket; util-linux's logger can, line by line. */
  #local(path: string, { facility, level }: SyslogTarget, text: string): void {
    const priority = `${facility * 8}.${level}`;
    const name = `${path} ${priority}`;
    let child = this.#loggers.get(name);
    if (child === undefined) {
      const args = ['--socket', path, '--priority', priority, '--tag', 'cluster-gateway', '--size', '64KiB'];
      child = spawn('logger', args, { stdio: ['pipe', 'ignore', 'ignore'] });
      child.on('error', () => this.#loggers.delete(name));
      child.on('exit', () => this.#loggers.delete(name));
      child.stdin?.on('error', () => undefined);
      child.unref();
      this.#loggers.set(name, child);
    }
    if ((child.stdin?.writableLength ?? 0) < 1 << 20) child.stdin?.write(`${text}\n`);
  }
}

function quiet(socket: Datagrams): Datagrams {
  socket.on('error', () => undefined);
  socket.unref();
  return socket;
}

/** `Nov  3 04:05:06`, local time, as syslog has it. */
function stamp(date: Date): string {
  const month = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')[date.getMonth()];
  const day = String(date.getDate()).padStart(2);
  return `${month} ${day} ${date.toTimeString().slice(0, 8)}`;
}
