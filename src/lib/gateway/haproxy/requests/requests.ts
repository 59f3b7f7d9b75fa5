import { createSocket, type Socket } from 'node:dgram';
import { readSyslogAddress, type TrafficState, type Webhook } from '../../../traffic/index.ts';
import type { Logger } from '../../logger.ts';
import type { BreakerRule, Serving } from '../../model.ts';
import { Breaker, type BreakerState } from './breaker.ts';
import { type RequestLog, readRequestLog } from './log.ts';
import { TraceSender, traceRecord } from './trace.ts';

const WEBHOOK_MS = 5000;
const LEAST_CHECK_MS = 10;

/** Breakers that are closed now: by map, their keys. */
export type Tripped = ReadonlyMap<string, ReadonlyMap<string, string>>;

/**
 * Hears of the requests that HAProxy logs: feeds circuit breakers and traces. `changed` is called when a breaker trips,
 * recovers or stands by again; `tripped` then says what the maps must hold.
 */
export class Requests {
  readonly #logger: Logger;
  readonly #changed: () => void;
  readonly #sender = new TraceSender();
  readonly #breakers = new Map<string, Breaker>();
  #byFrontend = new Map<string, Breaker[]>();
  #state: TrafficState | null = null;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #shown = '';

  constructor(logger: Logger, changed: () => void) {
    this.#logger = logger;
    this.#changed = changed;
  }

  /** Listens on the loopback, on `port` if it is free. @returns the port. */
  async listen(port: number): Promise<number> {
    for (const wanted of port === 0 ? [0] : [port, 0]) {
      const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
      const bound = await new Promise<number | null>((resolve) => {
        socket.once('error', () => resolve(null));
        socket.bind(wanted, '127.0.0.1', () => resolve(socket.address().port));
      });
      if (bound === null) continue;
      socket.on('message', (data) => this.#hear(data.toString()));
      socket.on('error', (error) => this.#logger.warning(`request log: ${error.message}`));
      this.#socket = socket;
      return bound;
    }
    throw new Error('no UDP port on 127.0.0.1 can be had');
  }

  /** The rules of a new state; a breaker whose rule stays the same stays as it is. */
  follow(state: TrafficState, rules: readonly BreakerRule[]): void {
    this.#state = state;
    const wanted = new Map(rules.map((rule) => [`${rule.frontend}/${rule.middleware}`, rule]));
    for (const name of this.#breakers.keys()) if (!wanted.has(name)) this.#breakers.delete(name);
    for (const [name, rule] of wanted) {
      const old = this.#breakers.get(name);
      if (old !== undefined && JSON.stringify(old.rule) === JSON.stringify(rule)) continue;
      this.#breakers.set(name, new Breaker(rule));
    }
    this.#byFrontend = new Map();
    for (const breaker of this.#breakers.values()) {
      const { frontend } = breaker.rule;
      this.#byFrontend.set(frontend, [...(this.#byFrontend.get(frontend) ?? []), breaker]);
    }
    this.#schedule();
  }

  tripped(): Tripped {
    const maps = new Map<string, Map<string, string>>();
    for (const breaker of this.#breakers.values()) {
      if (!breaker.closed) continue;
      const { map, key } = breaker.rule;
      maps.set(map, (maps.get(map) ?? new Map<string, string>()).set(key, '1'));
    }
    return maps;
  }

  states(): { frontend: string; middleware: string; state: BreakerState }[] {
    return [...this.#breakers.values()].map(({ rule: { frontend, middleware }, state }) => ({
      frontend,
      middleware,
      state,
    }));
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#sender.close();
  }

  #hear(datagram: string): void {
    const line = readRequestLog(datagram);
    if (line === null) return;
    const now = performance.now();
    for (const breaker of this.#byFrontend.get(line.fe) ?? []) breaker.record(now, line);
    this.#trace(line);
  }

  #trace(line: RequestLog): void {
    for (const middleware of this.#state?.middlewares.get(line.fe)?.values() ?? []) {
      if (middleware.Type !== 'trace') continue;
      const target = readSyslogAddress(middleware.Middleware.Addr);
      this.#sender.send(target, traceRecord(line, middleware.Middleware, target.prefix));
    }
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#breakers.size === 0) return;
    const checks = [...this.#breakers.values()].map(({ rule }) => rule.checkMs);
    const every = Math.max(LEAST_CHECK_MS, Math.min(...checks));
    this.#timer = setTimeout(() => {
      this.#tick();
      this.#schedule();
    }, every);
    this.#timer.unref();
  }

  #tick(): void {
    for (const breaker of this.#breakers.values()) {
      const state = breaker.tick(performance.now());
      if (state === null) continue;
      const { frontend, middleware, onTripped, onStandby } = breaker.rule;
      const message = `circuit breaker ${middleware} of frontend ${frontend}: ${state}`;
      if (state === 'tripped') this.#logger.warning(message);
      else this.#logger.info(message);
      if (state === 'tripped') this.#call(onTripped);
      if (state === 'standby') this.#call(onStandby);
    }
    const shown = JSON.stringify([...this.tripped()].map(([map, keys]) => [map, [...keys]]));
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#changed();
  }

  #call(hook: Webhook | null): void {
    if (hook === null) return;
    const { URL: url, Method, Headers, Form, Body } = hook.Action;
    const form = pairs(Form);
    const headers = pairs(Headers);
    const method = Method === '' ? 'GET' : Method.toUpperCase();
    const body = form.length > 0 ? new URLSearchParams(form) : Body;
    const bodyless = method === 'GET' || method === 'HEAD' || body === '';
    fetch(url, { method, headers, ...(bodyless ? {} : { body }), signal: AbortSignal.timeout(WEBHOOK_MS) })
      .then(async (answer) => {
        await answer.arrayBuffer();
        this.#logger.debug(`webhook ${url}: ${answer.status}`);
      })
      .catch((error: unknown) =>
        this.#logger.warning(`webhook ${url}: ${error instanceof Error ? error.message : String(error)}`),
      );
  }
}

function pairs(values: { readonly [name: string]: readonly string[] }): [string, string][] {
  return Object.entries(values).flatMap(([name, list]) =>
    list.map((value): [string, string] => [name, value]),
  );
}

/** What is to be served while these breakers are tripped. */
export function withTripped(serving: Serving, tripped: Tripped): Serving {
  if (tripped.size === 0) return serving;
  const maps = new Map(serving.maps);
  for (const [map, keys] of tripped) {
    const present = maps.get(map);
    if (present !== undefined) maps.set(map, new Map([...present, ...keys]));
  }
  return { ...serving, maps };
}
