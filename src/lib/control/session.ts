import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Config } from '../config/index.ts';
import { ClusterError, EXIT } from '../error.ts';
import type { Machine, MachinePool, MachineTarget, SshOptions } from '../machine/index.ts';
import {
  type Author,
  audited,
  EventRegistry,
  GatewayRegistry,
  GatewaySettingsRegistry,
  HistoryRegistry,
  LockRegistry,
  type MachineRecord,
  MovedMark,
  movedError,
  movedHint,
  movedText,
  RegistratorRegistry,
  Registry,
  type RegistryState,
  RolloutRegistry,
  ServiceRegistry,
  SwitchRegistry,
  TrafficRegistry,
} from '../registry/index.ts';
import type { Store } from '../store/port.ts';
import { nameMachine } from './away.ts';
import type { Event } from './event.ts';
import { operator } from './operator.ts';

/** The share of runs with a change that look for events that are too old or too many. */
const PRUNES = 1 / 50;

export interface SessionOptions {
  readonly config: Config;
  /** Hears what happens, as it happens. */
  readonly emit: (event: Event) => void;
  readonly askPassphrase?: (keyFile: string) => Promise<string>;
  readonly askHostKey?: NonNullable<SshOptions['askHostKey']>;
  /** Our own entry file and version, to start a holder of connections with; absent = connections end with the run. */
  readonly program?: { readonly entry: string; readonly version: string };
  /** The run shows what there is and decides nothing: it need not wait for a machine that was away a moment ago. */
  readonly looks?: boolean;
  /** Whom this run's changes are recorded under; absent = they are not recorded. */
  readonly author?: Author;
}

/** What one run of a command works with: registry and machine connections, opened when first used. */
export class Session {
  readonly config: Config;
  readonly emit: (event: Event) => void;
  readonly #questions: Pick<SessionOptions, 'askPassphrase' | 'askHostKey'>;
  readonly #program: SessionOptions['program'];
  readonly #looks: boolean;
  readonly #author: Author | null;
  #registry: Promise<Registry> | undefined;
  #store: Promise<Store> | undefined;
  #pool: Promise<MachinePool> | undefined;
  #ssh: SshOptions | undefined;
  #isRecorded = false;

  constructor(options: SessionOptions) {
    this.config = options.config;
    this.emit = options.emit;
    const { askPassphrase, askHostKey } = options;
    this.#questions = { ...(askPassphrase && { askPassphrase }), ...(askHostKey && { askHostKey }) };
    this.#program = options.program;
    this.#looks = options.looks === true;
    this.#author = options.author ?? null;
  }

  registry(): Promise<Registry> {
    this.#registry ??= this.store().then((store) => new Registry(store, this.config.prefix, this.#author));
    return this.#registry;
  }

  /** user@computer of whoever runs this. */
  get who(): string {
    return this.#author?.who ?? operator();
  }

  /** Frontends, backends, servers: vulcand's keys in the same store. */
  async traffic(): Promise<TrafficRegistry> {
    const store = await this.store();
    const { prefix, trafficPrefix } = this.config;
    return new TrafficRegistry(store, trafficPrefix, new MovedMark(store, prefix));
  }

  async gateways(): Promise<GatewayRegistry> {
    return new GatewayRegistry(await this.store(), this.config.prefix);
  }

  async gatewaySettings(): Promise<GatewaySettingsRegistry> {
    return new GatewaySettingsRegistry(await this.store(), this.config.prefix);
  }

  async registrators(): Promise<RegistratorRegistry> {
    return new RegistratorRegistry(await this.store(), this.config.prefix);
  }

  /** What registrators announced. */
  async services(): Promise<ServiceRegistry> {
    return new ServiceRegistry(await this.store(), this.config.prefix, this.config.trafficPrefix);
  }

  async rollouts(): Promise<RolloutRegistry> {
    return new RolloutRegistry(await this.store(), this.config.prefix);
  }

  /** Which machines are away by a rollout. */
  async locks(): Promise<LockRegistry> {
    return new LockRegistry(await this.store(), this.config.prefix);
  }

  /** What was written, by whom. */
  async events(): Promise<EventRegistry> {
    return new EventRegistry(await this.store(), this.config.prefix);
  }

  /** Former texts of unit files. */
  async history(): Promise<HistoryRegistry> {
    return new HistoryRegistry(await this.store(), this.config.prefix);
  }

  async switches(): Promise<SwitchRegistry> {
    return new SwitchRegistry(await this.store(), this.config.prefix);
  }

  /** For handing on: reading and writing is the registry's. */
  store(): Promise<Store> {
    this.#store ??= this.#open();
    return this.#store;
  }

  /**
   * The registry's content; broken values are announced once per call and left alone. Of a registry that was copied to
   * another place this is said, or with `toChange`:
   * @throws `registry-moved` (exit 6).
   */
  async state({ toChange = false } = {}): Promise<RegistryState> {
    const state = await (await this.registry()).load();
    if (state.moved !== null) {
      if (toChange) throw movedError(state.moved);
      const message = `${movedText(state.moved)}; try: ${movedHint(state.moved)}`;
      this.emit({ kind: 'warning', message });
    }
    for (const { key, message } of state.problems) this.emit({ kind: 'problem', key, message });
    return state;
  }

  async connect(target: MachineTarget): Promise<Machine> {
    return (await this.pool()).use(target);
  }

  /** @throws ClusterError with the machine's legend; exit 4. */
  async machine(record: MachineRecord): Promise<Machine> {
    try {
      return await this.connect(record.target);
    } catch (error) {
      throw error instanceof ClusterError ? nameMachine(record, error) : error;
    }
  }

  /** A new connection to a machine whose last one was lost. @throws as `machine`. */
  async machineAgain(record: MachineRecord): Promise<Machine> {
    return (await this.pool()).again(record.target);
  }

  pool(): Promise<MachinePool> {
    this.#pool ??= import('../machine/index.ts').then(({ MachinePool, HeldConnections }) => {
      const { parallel: starts, persistMs: idleMs } = this.config.ssh;
      const ssh = this.ssh();
      if (this.#program === undefined || idleMs === 0) return new MachinePool(ssh, { starts });
      const { entry, version } = this.#program;
      const argv = [entry, 'connections', 'hold'];
      const options = { directory: this.connectionsDir, idleMs, argv, version, ssh, starts };
      return new MachinePool(ssh, { starts, held: new HeldConnections(options), looks: this.#looks });
    });
    return this.#pool;
  }

  /** Where the holder of connections that outlive a command listens. */
  get connectionsDir(): string {
    return join(this.config.dataDir, 'connections');
  }

  /** One object per run: passphrases and the parsed ssh_config are remembered by it. */
  ssh(): SshOptions {
    this.#ssh ??= this.#sshOptions();
    return this.#ssh;
  }

  #sshOptions(): SshOptions {
    const { identity, knownHosts, strictHostKeyChecking, timeoutMs, goneAfterMs, config, transport } =
      this.config.ssh;
    const chosen = this.config.sources['ssh.config'] !== undefined;
    const timeoutChosen = this.config.sources['ssh.timeout'] !== undefined;
    const goneAfterChosen = this.config.sources['ssh.gone-after'] !== undefined;
    return {
      timeoutMs,
      strictHostKeyChecking,
      goneAfterMs,
      ...(timeoutChosen && { timeoutChosen }),
      ...(goneAfterChosen && { goneAfterChosen }),
      ...(transport !== 'auto' && { transport }),
      ...(chosen && { config }),
      ...(identity !== undefined && { identity }),
      ...(knownHosts !== undefined && { knownHosts }),
      ...this.#questions,
    };
  }

  async close(): Promise<void> {
    if (this.#pool) await (await this.#pool).closeAll();
    const store = await this.#store?.catch(() => undefined);
    if (store !== undefined) await this.#prune().catch(() => undefined);
    await store?.close();
  }

  /** Histories are kept short by those who make them longer; events, which are many, by one in so many of these. */
  async #prune(): Promise<void> {
    const { newer } = (await this.#registry) ?? {};
    if (newer !== undefined && newer.size > 0) await (await this.history()).prune(newer);
    if (this.#isRecorded && Math.random() < PRUNES) await (await this.events()).prune(new Date());
  }

  async #open(): Promise<Store> {
    const { openStore } = await import('../store/open.ts');
    const tunnel = this.config.etcd?.tunnel;
    // First of all: etcd's deadline is shorter than a login may take, and would hide why there is none.
    if (tunnel !== undefined) await this.#tunnelMachine(tunnel);
    const store = await openStore(this.config, (machine, host, port) => this.#tunnel(machine, host, port));
    if (this.#author === null) return store;
    const { prefix, trafficPrefix } = this.config;
    return audited(store, {
      prefix,
      trafficPrefix,
      author: this.#author,
      now: () => new Date(),
      random: () => randomBytes(4).toString('hex'),
      recorded: () => {
        this.#isRecorded = true;
      },
    });
  }

  async #tunnel(spec: string, host: string, port: number): Promise<import('node:stream').Duplex> {
    return (await this.#tunnelMachine(spec)).forward({ host, port });
  }

  async #tunnelMachine(spec: string): Promise<Machine> {
    const { parseSpec, resolveTarget } = await import('../machine/index.ts');
    const target = resolveTarget(parseSpec(spec), this.ssh(), { user: this.config.ssh.user });
    return this.connect(target).catch((error: unknown) => {
      if (!(error instanceof ClusterError)) throw error;
      const { code, message, exit, hint, place } = error;
      throw new ClusterError(code, `on the way to etcd: ${message}`, {
        ...place,
        exit,
        ...(hint !== undefined && { hint }),
        cause: error,
      });
    });
  }
}

/** @throws when nothing was added yet. */
export function requireMachines(state: RegistryState): void {
  if (state.machines.size > 0) return;
  throw new ClusterError('no-machines', 'no machine is registered', {
    hint: 'cluster machine add root@ADDRESS (or cluster lab up for throw-away ones)',
    exit: EXIT.failed,
  });
}
