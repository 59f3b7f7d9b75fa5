import { existsSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { ClusterError } from '../../error.ts';
import type { TrafficState } from '../../traffic/index.ts';
import type { BreakerId } from '../model.ts';
import {
  DEFAULT_TUNING,
  type ProxyKind,
  type ProxyOptions,
  type ProxyStatus,
  type ProxyTuning,
  type RunningProxy,
  type Served,
} from '../proxy.ts';
import type { Top } from '../top.ts';
import { JAILED_REQUESTS } from './process/files.ts';
import { stopLater } from './process/stop-later.ts';
import { type Applied, Supervisor } from './process/supervisor.ts';
import { type WorkerUser, workerUser } from './process/worker-user.ts';
import { refusalOf } from './refusal.ts';
import { LogReceiver } from './requests/log-receiver.ts';
import type { Serving } from './serving.ts';
import { topOf } from './stats.ts';
import { listening } from './translate/listeners.ts';
import { Memo } from './translate/memo.ts';
import { BREAKERS_MAP, breakerKey } from './translate/middlewares.ts';
import { COUNTERS_TABLE, renderConfig, translate } from './translate/translate.ts';

const HOW: Readonly<Record<Applied, string>> = {
  nothing: 'no change for HAProxy',
  runtime: 'changed at run time',
  reload: 'reloaded',
  start: 'started',
};

/** Drives one HAProxy: translates states, has the supervisor apply them, and receives its request log. */
export class HaproxyProxy implements RunningProxy {
  readonly kind: ProxyKind;
  readonly #options: ProxyOptions;
  readonly #tuning: ProxyTuning;
  readonly #supervisor: Supervisor;
  readonly #log: LogReceiver;
  readonly #memo = new Memo();
  /** The state that is served; null while that is not known. */
  #state: TrafficState | null = null;
  #worker: WorkerUser | null = null;

  constructor(options: ProxyOptions, kind: ProxyKind) {
    checkListen(options.listen);
    const { runDirectory, program, logger, onRequest } = options;
    this.kind = kind;
    this.#options = options;
    this.#tuning = options.tuning ?? DEFAULT_TUNING;
    this.#supervisor = new Supervisor({
      directory: runDirectory,
      binary: program,
      render: renderConfig,
      logger,
      maxDraining: this.#tuning.maxDraining,
      listenerDirectory: this.#tuning.listenerDirectory,
    });
    this.#log = new LogReceiver(logger, onRequest);
  }

  async prepare(): Promise<void> {
    this.#worker = await workerUser(this.#tuning.user);
    await this.#supervisor.prepare(this.#worker?.gid ?? null);
  }

  async adopt(): Promise<boolean> {
    const isAdopted = await this.#supervisor.adopt();
    if (!isAdopted) await this.#supervisor.probe();
    await this.#log.listen(this.#supervisor.paths.requests, this.#worker?.gid ?? null);
    return isAdopted;
  }

  async serve(state: TrafficState, open: readonly BreakerId[]): Promise<Served> {
    try {
      const serving = this.#translate(state);
      const how = HOW[await this.#supervisor.apply(withOpenBreakers(serving, open))];
      this.#state = state;
      this.#memo.served(state.backends);
      return { kind: 'applied', how, notes: { leftOut: serving.leftOut, notes: serving.notes } };
    } catch (error) {
      return refusalOf(error, this.#state, state);
    }
  }

  async check(state: TrafficState): Promise<string | null> {
    try {
      return await this.#supervisor.check(this.#translate(state));
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  async top(state: TrafficState | null): Promise<Top> {
    const commands = ['show stat', `show table ${COUNTERS_TABLE}`];
    const [stat = '', table = ''] = await this.#supervisor.ask(commands);
    const frontends = [...(state?.frontends.values() ?? [])];
    return topOf(stat, table, {
      frontends: new Map(frontends.map(({ Id, BackendId }) => [Id, BackendId])),
      backends: new Set([...(state?.backends.keys() ?? []), ...(state?.servers.keys() ?? [])]),
    });
  }

  status(): ProxyStatus {
    return { name: this.kind.name, ...this.#supervisor.status() };
  }

  async leave(): Promise<void> {
    this.#log.close();
    await this.#supervisor.leave();
  }

  async stop(): Promise<void> {
    this.#log.close();
    await this.#supervisor.stop();
  }

  async stopLater(unless: string): Promise<void> {
    const { pid } = this.#supervisor.status();
    await this.leave();
    if (pid !== null) stopLater(pid, unless);
  }

  #translate(state: TrafficState): Serving {
    const { listen, openKeyPair } = this.#options;
    const { listenerDirectory, drainMs } = this.#tuning;
    const { admin, jail, requests } = this.#supervisor.paths;
    const options = {
      hostname: hostname(),
      listen,
      adminSocket: admin,
      logSocket: this.#worker === null ? requests : JAILED_REQUESTS,
      listenerDirectory,
      process: { limits: this.#tuning, drainMs, worker: this.#worker && { ...this.#worker, jail } },
      ipv6: hasIpv6(),
      now: Date.now(),
      openKeyPair,
    };
    return translate(state, options, this.#memo);
  }
}

/** A gateway that cannot listen there would run without ever getting a request. */
function checkListen(listen: string): void {
  const options = { listen, ipv6: true, directory: '', certificates: null, notFound: '' };
  const [wrong] = listening([], options).leftOut;
  if (wrong === undefined) return;
  throw new ClusterError('bad-address', `--listen ${JSON.stringify(listen)}: ${wrong.message}`, {
    hint: 'such as --listen :80 or --listen 127.0.0.1:8080',
  });
}

function hasIpv6(): boolean {
  const interfaces = Object.values(networkInterfaces());
  return (
    existsSync('/proc/net/if_inet6') &&
    interfaces.some((list) => list?.some(({ family }) => family === 'IPv6'))
  );
}

function withOpenBreakers(serving: Serving, open: readonly BreakerId[]): Serving {
  if (open.length === 0) return serving;
  const keys = open.map(({ frontend, middleware }) => [breakerKey(frontend, middleware), '1'] as const);
  return { ...serving, maps: new Map(serving.maps).set(BREAKERS_MAP, new Map(keys)) };
}
