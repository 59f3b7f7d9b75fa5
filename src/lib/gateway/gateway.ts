import { readFile, rm } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { follow, localMachineId, Outage, together } from '../keep/index.ts';
import type {
  GatewayRegistry,
  GatewaySettingsRegistry,
  GatewaySettingsState,
  TrafficRegistry,
} from '../registry/index.ts';
import type { TrafficState } from '../traffic/index.ts';
import { type GatewayStatus, listenAdmin } from './admin.ts';
import { type Ending, endLater } from './ending.ts';
import { writeWhole } from './haproxy/process/files.ts';
import { Supervisor } from './haproxy/process/supervisor.ts';
import { Requests } from './haproxy/requests/requests.ts';
import { type Top, topOf } from './haproxy/stats.ts';
import { Keeper } from './keeper.ts';
import { LiveRecord } from './live-record.ts';
import type { Logger } from './logger.ts';
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
  readonly traffic: TrafficRegistry;
  /** The records of running gateways, of which this one's is kept. */
  readonly gateways: GatewayRegistry;
  readonly settings: GatewaySettingsRegistry;
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
    const following = gateway.follow(over.signal);
    await Promise.race([aborted(signal), gateway.hopeless, following]);
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
  readonly #supervisor: Supervisor;
  readonly #requests: Requests;
  readonly #keeper: Keeper;
  readonly #record: LiveRecord;
  /** Of the store. */
  readonly #outage: Outage;
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
    const { logger, translator, runDirectory, gateways, admin, machine, version } = options;
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
    this.#outage = new Outage('the store', logger);
    this.#record = new LiveRecord(gateways, { ...record, revision: 0 }, this.#outage);
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
    await follow(traffic, { onState, outage: this.#outage, part: 'traffic' }, signal);
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
    await this.#record.end(ending !== 'leave');
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
      storeConnected: this.#connected && !this.#outage.active,
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
