import { rm } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { follow, localMachineId, Outage, type Ready, type Reporter, together } from '../keep/index.ts';
import type {
  GatewayRegistry,
  GatewaySettingsRegistry,
  GatewaySettingsState,
  TrafficRegistry,
} from '../registry/index.ts';
import type { TrafficState } from '../traffic/index.ts';
import { type GatewayStatus, listenAdmin } from './admin.ts';
import type { Ending } from './ending.ts';
import { Keeper } from './keeper.ts';
import { LiveRecord } from './live-record.ts';
import type { ServedRequest } from './model.ts';
import { prometheusText } from './prometheus.ts';
import type { RunningProxy } from './proxy.ts';
import { Requests } from './requests/requests.ts';
import { loadState, saveState } from './state-file.ts';
import type { Top } from './top.ts';
import { writeWhole } from './write-whole.ts';

export interface GatewayOptions {
  readonly traffic: TrafficRegistry;
  /** The records of running gateways, of which this one's is kept. */
  readonly gateways: GatewayRegistry;
  readonly settings: GatewaySettingsRegistry;
  readonly runDirectory: string;
  readonly stateDirectory: string;
  /** host:port of the gateway's own interface. */
  readonly admin: string;
  readonly openProxy: (onRequest: (request: ServedRequest) => void) => RunningProxy;
  readonly machine: string;
  readonly version: string;
  readonly logger: Reporter;
  /** Called when it serves, or when only the registry is missing for it. */
  readonly ready: Ready;
}

const PATIENCE_MS = 500;
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
    const following = gateway.follow(over.signal);
    await Promise.race([aborted(signal), gateway.fatal, following]);
    over.abort();
    await gateway.close(await ending());
    await following;
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
  readonly #record: LiveRecord;
  /** Of the store. */
  readonly #outage: Outage;
  readonly #stateFile: string;
  readonly #pidFile: string;
  /** Rejects when the proxy cannot be started at all. */
  readonly fatal: Promise<never>;
  #admin: Awaited<ReturnType<typeof listenAdmin>> | undefined;
  #adopted = false;
  #revision = 0;
  #connected = false;
  /** Aborts when the traffic has to be read as a whole again. */
  #rereading = new AbortController();
  #unsaved: TrafficState | null = null;
  #saveTimer: NodeJS.Timeout | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
    const { logger, runDirectory, gateways, admin, machine, version } = options;
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
    this.#outage = new Outage('the store', logger);
    this.#record = new LiveRecord(gateways, { ...record, revision: 0 }, this.#outage, () =>
      this.#rereading.abort(),
    );
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
    if (this.#adopted) this.#options.ready('serving what was served before');
  }

  /** Serves every state of the registry and follows the operators' settings, until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    await together([(end) => this.#followTraffic(end), (end) => this.#followSettings(end)], signal);
  }

  /** Where the registry does not answer soon, the last state that is kept on disk is served meanwhile. */
  async #followTraffic(signal: AbortSignal): Promise<void> {
    const { traffic } = this.#options;
    const patience = setTimeout(() => this.#fromDisk(), PATIENCE_MS);
    const onState = (state: TrafficState): void => {
      clearTimeout(patience);
      this.#connected = true;
      this.#keeper.want(state);
    };
    while (!signal.aborted) {
      this.#rereading = new AbortController();
      const until = AbortSignal.any([signal, this.#rereading.signal]);
      await follow(traffic, { onState, outage: this.#outage, part: 'traffic' }, until);
    }
    clearTimeout(patience);
  }

  async #followSettings(signal: AbortSignal): Promise<void> {
    const { settings: registry, logger } = this.#options;
    const own = logger.severity;
    const onState = ({ settings, written }: GatewaySettingsState): void => {
      // Settings that cannot be read change nothing.
      const severity = settings?.severity ?? (written === 0 ? own : logger.severity);
      if (severity === logger.severity) return;
      logger.severity = severity;
      logger.info(`log severity is ${severity} now`);
    };
    await follow(registry, { onState, outage: this.#outage, part: 'settings' }, signal);
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
    await this.#record.end(ending !== 'leave');
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
    const { logger, traffic, ready } = this.#options;
    const state = await loadState(this.#stateFile, traffic.prefix);
    if (this.#keeper.state !== null || this.#connected) return;
    // What is served may be newer than what was saved last.
    if (state === null) ready('waiting for the registry');
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
    this.#options.ready(`serving since revision ${state.revision}`);
    this.#record.serves(state.revision);
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
      storeConnected: this.#connected && !this.#outage.active,
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

/** The machine's id, or its host name where it has none. */
export async function machineName(): Promise<string> {
  return (await localMachineId()) ?? hostname();
}

/** The first address that others can reach. */
function ownAddress(): string | null {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outward = all.filter(({ internal }) => !internal);
  return (outward.find(({ family }) => family === 'IPv4') ?? outward[0])?.address ?? null;
}
