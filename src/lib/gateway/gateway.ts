import { readFile, rm } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gatewaySettingsKey, type TrafficRegistry } from '../registry/index.ts';
import type { Store } from '../store/port.ts';
import type { TrafficState } from '../traffic/index.ts';
import { type GatewayStatus, listenAdmin } from './admin.ts';
import { Announcer } from './announce.ts';
import { type Ending, endLater } from './ending.ts';
import { writeWhole } from './haproxy/process/files.ts';
import { Supervisor } from './haproxy/process/supervisor.ts';
import { Requests } from './haproxy/requests/requests.ts';
import { type Top, topOf } from './haproxy/stats.ts';
import { Keeper } from './keeper.ts';
import { isSeverity, type Logger, type Severity } from './logger.ts';
import type { Serving } from './model.ts';
import { prometheusText } from './prometheus.ts';
import { loadState, saveState } from './state-file.ts';

/** Translation and its print, with what only the running process knows. */
export interface Translator {
  /** `logAddress`: host:port where HAProxy sends the request log. */
  translate(state: TrafficState, place: { readonly admin: string; readonly logAddress: string }): Serving;
  render(serving: Serving): string;
  /** HAProxy's name of the stick table that counts by frontend. */
  readonly table: string;
}

export interface GatewayOptions {
  readonly store: Store;
  readonly traffic: TrafficRegistry;
  /** The cluster's own prefix. */
  readonly prefix: string;
  readonly runDirectory: string;
  readonly stateDirectory: string;
  /** host:port of the gateway's own interface. */
  readonly admin: string;
  readonly haproxy: string;
  readonly translator: Translator;
  readonly machine: string;
  readonly version: string;
  readonly logger: Logger;
}

const PATIENCE_MS = 500;
const RETRY_MS = [250, 500, 1000, 2000];
const SAVE_MS = 1000;

/**
 * Serves the traffic registry until `signal` aborts; `ending` is asked then what becomes of HAProxy. A registry that is
 * away never ends it; what keeps it from serving anything at all when it starts does.
 * @throws ClusterError `gateway-running`, `bad-run-directory`, `haproxy-missing`, `haproxy-start`.
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
    const following = [gateway.follow(over.signal), gateway.obey(over.signal)];
    await Promise.race([aborted(signal), gateway.hopeless]);
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
  readonly #supervisor: Supervisor;
  readonly #requests: Requests;
  readonly #keeper: Keeper;
  readonly #announcer: Announcer;
  readonly #stateFile: string;
  readonly #pidFile: string;
  /** Rejects where HAProxy cannot be had at all. */
  readonly hopeless: Promise<never>;
  #admin: Awaited<ReturnType<typeof listenAdmin>> | undefined;
  #logAddress = '';
  #adopted = false;
  #revision = 0;
  #connected = false;
  #unsaved: TrafficState | null = null;
  #saveTimer: NodeJS.Timeout | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
    const { logger, translator, runDirectory, store, prefix, admin, machine, version } = options;
    this.#supervisor = new Supervisor({
      directory: runDirectory,
      binary: options.haproxy,
      render: (serving) => translator.render(serving),
      logger,
    });
    let giveUp: (error: unknown) => void = () => undefined;
    this.hopeless = new Promise<never>((_, reject) => {
      giveUp = reject;
    });
    this.hopeless.catch(() => undefined);
    this.#requests = new Requests(logger, () => this.#keeper.refresh());
    this.#keeper = new Keeper({
      supervisor: this.#supervisor,
      requests: this.#requests,
      logger,
      translate: (state) =>
        translator.translate(state, { admin: this.#supervisor.paths.admin, logAddress: this.#logAddress }),
      applied: (state) => this.#applied(state),
      hopeless: giveUp,
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
    await this.#supervisor.prepare();
    await writeWhole(this.#pidFile, String(process.pid));
    const adopted = await this.#supervisor.adopt();
    this.#adopted = adopted;
    if (!adopted) await this.#supervisor.probe();
    // The port stands in the configuration: another one would be a reload.
    const file = join(this.#options.runDirectory, 'log-port');
    const before = adopted ? Number(await readFile(file, 'utf8').catch(() => '0')) : 0;
    const port = await this.#requests.listen(Number.isInteger(before) ? before : 0);
    this.#logAddress = `127.0.0.1:${port}`;
    await writeWhole(file, String(port));
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
  async obey(signal: AbortSignal): Promise<void> {
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

  /** After a failure: what this process holds open is let go; a HAProxy that runs is left alone. */
  async abandon(): Promise<void> {
    this.#admin?.close();
    this.#admin?.closeAllConnections();
    // A process that never came to have a run directory cannot tidy it.
    if (this.#admin !== undefined) await this.close('leave').catch(() => undefined);
  }

  async close(ending: Ending): Promise<void> {
    await this.#keeper.close();
    this.#requests.close();
    await this.#announcer.end(ending !== 'leave');
    clearTimeout(this.#saveTimer);
    await this.#save();
    await rm(this.#pidFile, { force: true });
    const { pid } = this.#supervisor.status();
    if (ending === 'stop') await this.#supervisor.stop();
    else await this.#supervisor.leave();
    if (ending === 'linger' && pid !== null) endLater(pid, this.#pidFile);
    this.#admin?.close();
    this.#admin?.closeAllConnections();
  }

  async #fromDisk(): Promise<void> {
    const { logger, traffic } = this.#options;
    const state = await loadState(this.#stateFile, traffic.prefix);
    if (this.#keeper.state !== null || this.#connected) return;
    // What HAProxy serves may be newer than what was written down last.
    if (this.#adopted) return logger.warning('the registry does not answer; HAProxy goes on as it is');
    if (state === null) return logger.warning('the registry does not answer, and no state is kept here');
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
      this.#options.logger.warning(`cannot keep the state: ${String(error)}`),
    );
  }

  #status(): GatewayStatus {
    const { machine, version, logger } = this.#options;
    return {
      machine,
      hostname: hostname(),
      version,
      revision: this.#revision,
      haproxy: this.#supervisor.status(),
      severity: logger.severity,
      storeConnected: this.#connected && !this.#announcer.away,
      failing: this.#keeper.failing,
      lastChangeMs: Math.round(this.#keeper.lastMs * 10) / 10,
      leftOut: this.#keeper.leftOut(),
      notes: this.#keeper.notes(),
      breakers: this.#requests.states(),
    };
  }

  async #top(): Promise<Top> {
    const [stat = '', table = ''] = await this.#supervisor.ask([
      'show stat',
      `show table ${this.#options.translator.table}`,
    ]);
    const state = this.#keeper.state;
    const frontends = [...(state?.frontends.values() ?? [])].map(
      ({ Id, BackendId }) => [Id, BackendId] as const,
    );
    return topOf(stat, table, {
      frontends: new Map(frontends),
      backends: new Set([...(state?.backends.keys() ?? []), ...(state?.servers.keys() ?? [])]),
    });
  }

  async #metrics(): Promise<string> {
    const { revision, haproxy, storeConnected, leftOut, failing } = this.#status();
    const top = await this.#top().catch((): Top => ({ frontends: [], backends: [], servers: [] }));
    return prometheusText(top, {
      revision,
      haproxy_up: haproxy.pid === null ? 0 : 1,
      haproxy_reloads: haproxy.reloads,
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
