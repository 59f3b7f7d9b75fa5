import { readFile, rm } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gatewaySettingsKey, type TrafficRegistry } from '../registry/index.ts';
import type { Store } from '../store/port.ts';
import type { TrafficState } from '../traffic/index.ts';
import { type GatewayStatus, listenAdmin } from './admin.ts';
import { Announcer } from './announce.ts';
import type { Ending } from './ending.ts';
import { Keeper } from './keeper.ts';
import { isSeverity, type Logger, type Severity } from './logger.ts';
import type { ServedRequest } from './model.ts';
import { prometheusText } from './prometheus.ts';
import type { RunningProxy } from './proxy.ts';
import { Requests } from './requests/requests.ts';
import { loadState, saveState } from './state-file.ts';
import type { Top } from './top.ts';
import { writeWhole } from './write-whole.ts';

export interface GatewayOptions {
  readonly store: Store;
  readonly traffic: TrafficRegistry;
  /** The cluster's own prefix. */
  readonly prefix: string;
  readonly runDirectory: string;
  readonly stateDirectory: string;
  /** host:port of the gateway's own interface. */
  readonly admin: string;
  readonly openProxy: (onRequest: (request: ServedRequest) => void) => RunningProxy;
  readonly machine: string;
  readonly version: string;
  readonly logger: Logger;
}

const PATIENCE_MS = 500;
const RETRY_MS = [250, 500, 1000, 2000];
const SAVE_MS = 1000;

/**
 * Serves the traffic registry until `signal` aborts; `ending` then decides what becomes of the proxy. It goes on while
 * the registry is away, and gives up only if it cannot serve anything at all when it starts.
 * @throws ClusterError `bad-address`, `gateway-running`, `bad-run-directory`, and the proxy's own where it does not run.
 */
export async function runGateway(
  options: GatewayOptions,
  signal: AbortSignal,
  ending: () => Promise<Ending>,
): Promise<void> {
  const over = new AbortController();
  const gateway = new Gateway(options);
  try {
    await gateway.open();
    const following = [gateway.follow(over.signal), gateway.followSettings(over.signal)];
    await Promise.race([aborted(signal), gateway.fatal]);
    over.abort();
    await gateway.close(await ending());
    await Promise.all(following);
  } catch (error) {
    over.abort();
    await gateway.abandon();
    throw error;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

class Gateway {
  readonly #options: GatewayOptions;
  readonly #proxy: RunningProxy;
  readonly #requests: Requests;
  readonly #keeper: Keeper;
  readonly #announcer: Announcer;
  readonly #stateFile: string;
  readonly #pidFile: string;
  /** Rejects when the proxy cannot be started at all. */
  readonly fatal: Promise<never>;
  #admin: Awaited<ReturnType<typeof listenAdmin>> | undefined;
  #adopted = false;
  #revision = 0;
  #connected = false;
  #unsaved: TrafficState | null = null;
  #saveTimer: NodeJS.Timeout | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
    const { logger, runDirectory, store, prefix, admin, machine, version } = options;
    this.#proxy = options.openProxy((request) => this.#requests.record(request));
    let giveUp: (error: unknown) => void = () => undefined;
    this.fatal = new Promise<never>((_, reject) => {
      giveUp = reject;
    });
    this.fatal.catch(() => undefined);
    this.#requests = new Requests(logger, () => this.#keeper.refresh());
    this.#keeper = new Keeper({
      proxy: this.#proxy,
      logger,
      openBreakers: () => this.#requests.open(),
      applied: (wanted, served) => {
        this.#requests.follow(served);
        this.#applied(wanted);
      },
      fatal: giveUp,
    });

    const record = { v: 1, machine, hostname: hostname(), address: ownAddress(), admin, version } as const;
    this.#announcer = new Announcer(store, prefix, { ...record, revision: 0 }, logger);
    this.#stateFile = join(options.stateDirectory, 'state.json');
    this.#pidFile = join(runDirectory, 'gateway.pid');
  }

  async open(): Promise<void> {
    this.#admin = await listenAdmin(this.#options.admin, {
      status: () => this.#status(),
      top: () => this.#top(),
      metrics: () => this.#metrics(),
    });
    await this.#proxy.prepare();
    await writeWhole(this.#pidFile, String(process.pid));
    this.#adopted = await this.#proxy.adopt();
  }

  /** Every state of the registry, and the last one on disk where the registry is slow to answer at first. */
  async follow(signal: AbortSignal): Promise<void> {
    const { traffic, logger } = this.#options;
    const patience = setTimeout(() => this.#fromDisk(), PATIENCE_MS);
    let failures = 0;
    while (!signal.aborted) {
      try {
        const state = await traffic.load();
        clearTimeout(patience);
        if (failures > 0) logger.info('the registry answers again');
        failures = 0;
        this.#connected = true;
        if (signal.aborted) break;
        this.#keeper.want(state);
        for await (const next of traffic.watch(state, signal)) this.#keeper.want(next);
      } catch (error) {
        if (signal.aborted) break;
        this.#connected = false;
        if (failures === 0)
          logger.warning(`the registry: ${error instanceof Error ? error.message : String(error)}`);
      }
      const wait = RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)];
      await sleep(wait, undefined, { signal }).catch(() => undefined);
    }
    clearTimeout(patience);
  }

  /** What operators set for all gateways, as soon as they do. */
  async followSettings(signal: AbortSignal): Promise<void> {
    const { store, prefix, logger } = this.#options;
    const key = gatewaySettingsKey(prefix);
    const own = logger.severity;
    const set = (value: string | undefined): void => {
      const severity = value === undefined ? own : (storedSeverity(value) ?? logger.severity);
      if (severity === logger.severity) return;
      logger.severity = severity;
      logger.info(`log severity is ${severity} now`);
    };
    while (!signal.aborted) {
      try {
        const { entries, revision } = await store.range(key);
        set(entries.find((entry) => entry.key === key)?.value);
        for await (const event of store.watch(key, revision, signal)) {
          if (event.type === 'resync') set(event.range.entries.find((entry) => entry.key === key)?.value);
          else if (event.type === 'put' && event.entry.key === key) set(event.entry.value);
          else if (event.type === 'remove' && event.key === key) set(undefined);
        }
      } catch {
        // The registry's own loop says that it is away.
      }
      await sleep(RETRY_MS.at(-1), undefined, { signal }).catch(() => undefined);
    }
  }

  /** After a failure: releases what this process holds open; a proxy that runs is left alone. */
  async abandon(): Promise<void> {
    this.#admin?.close();
    this.#admin?.closeAllConnections();
    // Without the admin interface, the run directory may belong to another gateway.
    if (this.#admin !== undefined) await this.close('leave').catch(() => undefined);
  }

  async close(ending: Ending): Promise<void> {
    await this.#keeper.close();
    this.#requests.close();
    await this.#announcer.end(ending !== 'leave');
    clearTimeout(this.#saveTimer);
    await this.#save();
    await rm(this.#pidFile, { force: true });
    if (ending === 'stop') await this.#proxy.stop();
    else if (ending === 'linger') await this.#proxy.stopLater(this.#pidFile);
    else await this.#proxy.leave();
    this.#admin?.close();
    this.#admin?.closeAllConnections();
  }

  async #fromDisk(): Promise<void> {
    const { logger, traffic } = this.#options;
    const state = await loadState(this.#stateFile, traffic.prefix);
    if (this.#keeper.state !== null || this.#connected) return;
    // What is served may be newer than what was saved last.
    if (this.#adopted)
      return logger.warning('the registry does not answer; what was served before is still served');
    if (state === null) return logger.warning('the registry does not answer, and no state is saved here');
    logger.warning(
      `the registry does not answer; serving revision ${state.revision}, the last one seen here`,
    );
    this.#keeper.want(state);
  }

  #applied(state: TrafficState): void {
    this.#revision = state.revision;
    this.#announcer.serves(state.revision);
    this.#unsaved = state;
    this.#saveTimer ??= setTimeout(() => this.#save(), SAVE_MS);
  }

  async #save(): Promise<void> {
    const state = this.#unsaved;
    this.#saveTimer = undefined;
    this.#unsaved = null;
    if (state === null) return;
    await saveState(this.#stateFile, this.#options.traffic.prefix, state).catch((error: unknown) =>
      this.#options.logger.warning(`cannot save the state: ${String(error)}`),
    );
  }

  #status(): GatewayStatus {
    const { machine, version, logger } = this.#options;
    return {
      machine,
      hostname: hostname(),
      version,
      revision: this.#revision,
      proxy: this.#proxy.status(),
      severity: logger.severity,
      storeConnected: this.#connected && !this.#announcer.away,
      failing: this.#keeper.failing,
      lastChangeMs: Math.round(this.#keeper.lastMs * 10) / 10,
      leftOut: this.#keeper.leftOut(),
      notes: this.#keeper.notes(),
      breakers: this.#requests.states(),
    };
  }

  #top(): Promise<Top> {
    return this.#proxy.top(this.#keeper.state);
  }

  async #metrics(): Promise<string> {
    const { revision, proxy, storeConnected, leftOut, failing } = this.#status();
    const top = await this.#top().catch((): Top => ({ frontends: [], backends: [], servers: [] }));
    return prometheusText(top, {
      revision,
      [`${proxy.name}_up`]: proxy.pid === null ? 0 : 1,
      [`${proxy.name}_reloads`]: proxy.reloads,
      store_connected: storeConnected ? 1 : 0,
      left_out: leftOut.length,
      failing: failing === null ? 0 : 1,
    });
  }
}

function storedSeverity(value: string): Severity | null {
  try {
    const { severity }: { severity?: unknown } = JSON.parse(value);
    return isSeverity(severity) ? severity : null;
  } catch {
    return null;
  }
}

/** The machine's id, or its host name where it has none. */
export async function machineName(): Promise<string> {
  const id = await readFile('/etc/machine-id', 'utf8').catch(() => '');
  return id.trim() === '' ? hostname() : id.trim();
}

/** The first address that others can reach. */
function ownAddress(): string | null {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outward = all.filter(({ internal }) => !internal);
  return (outward.find(({ family }) => family === 'IPv4') ?? outward[0])?.address ?? null;
}
