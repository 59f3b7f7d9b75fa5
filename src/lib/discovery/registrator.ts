import { ClusterError } from '../error.ts';
import {
  LeaseHolder,
  Outage,
  ProblemList,
  type Ready,
  type Report,
  together,
  untilDone,
} from '../keep/index.ts';
import { RegistratorRegistry, Registry, ServiceRegistry } from '../registry/index.ts';
import type { Store } from '../store/port.ts';
import { isLoopback } from '../traffic/index.ts';
import { Checker, type Target } from './checker.ts';
import { Inventory, type Running } from './containers/inventory.ts';
import type { ContainerRuntime } from './containers/port.ts';
import type { Instance } from './offers/edits.ts';
import type { ProbeResult } from './offers/health.ts';
import type { Container, Offer } from './offers/model.ts';
import { offerOf } from './offers/offer.ts';
import { presencePath } from './offers/presence.ts';
import { type ServiceOptions, servicesOf } from './offers/services.ts';
import { RegistryWriter } from './registry-writer.ts';
import { StatusRecord } from './status-record.ts';
import { addressOf, targetOf } from './targets.ts';

export interface RegistratorOptions {
  readonly store: Store;
  readonly runtime: ContainerRuntime;
  /** machine-id: whose containers these are. */
  readonly machine: string;
  readonly hostname: string;
  /** null = the address under which the machine is registered. */
  readonly ip: string | null;
  readonly prefix: string;
  readonly trafficPrefix: string;
  readonly ttlSeconds: number;
  readonly refreshSeconds: number;
  /** How long shared frontends and backends outlive the last instance. */
  readonly graceMs: number;
  /** 0 = never. */
  readonly resyncMs: number;
  readonly deregister: 'always' | 'on-success';
  readonly internal: boolean;
  readonly explicit: boolean;
  readonly tags: readonly string[];
  readonly report: Report;
  /** Called when it runs, or when only the store is missing for it. */
  readonly ready: Ready;
}

/** How long the store may take to answer before the registrator counts as ready without it. */
const PATIENCE_MS = 2000;

/**
 * Announces this machine's containers until the signal aborts; what is announced then stays on its lease, for the next
 * run to take over. While the container runtime or the store is away, what is announced stays as it is.
 * @throws `bad-ttl`, `registrator-no-address`, `registrator-displaced`.
 */
export async function runRegistrator(options: RegistratorOptions, signal: AbortSignal): Promise<void> {
  const { ttlSeconds, refreshSeconds } = options;
  if (ttlSeconds <= refreshSeconds)
    throw new ClusterError(
      'bad-ttl',
      `--ttl ${ttlSeconds} is not greater than --ttl-refresh ${refreshSeconds}`,
      {
        hint: 'use at least twice the refresh, so that one lost renewal does no harm: --ttl 11 --ttl-refresh 5',
      },
    );
  const outage = new Outage('the store', options.report);
  const find = () => registeredAddress(options);
  const patience = setTimeout(() => options.ready('waiting for the registry'), PATIENCE_MS);
  const found = options.ip ?? untilDone(find, { outage, part: 'address' }, signal);
  const address = await Promise.resolve(found).finally(() => clearTimeout(patience));
  options.ready('announcing containers');
  if (address !== null) await new Registrator(options, address, outage).run(signal);
}

/** What one container asks to have announced. */
interface ReadOffers {
  readonly offers: readonly Offer[];
  readonly problems: readonly string[];
}

class Registrator {
  readonly #options: RegistratorOptions;
  readonly #rules: ServiceOptions;
  readonly #inventory: Inventory;
  readonly #checker: Checker;
  readonly #writer: RegistryWriter;
  readonly #leaseHolder: LeaseHolder;
  readonly #status: StatusRecord;
  /** By path of its presence. */
  #offers = new Map<string, { readonly offer: Offer; readonly running: Running }>();
  readonly #offersOf = new WeakMap<Container, ReadOffers>();
  /** The containers were listed at least once. */
  #listed = false;
  #lookScheduled = false;
  readonly #problems: ProblemList;
  /** The last health that the runtime's own check reported, by path of presence. */
  readonly #runtimeHealth = new Map<string, string>();

  constructor(options: RegistratorOptions, address: string, storeOutage: Outage) {
    this.#options = options;
    const { hostname, internal, explicit, tags, report, ttlSeconds, refreshSeconds } = options;
    const problem = (message: string): void => report.warning(message);
    this.#problems = new ProblemList(problem);
    this.#rules = { hostname, address, forced: options.ip !== null, internal, explicit, tags };
    this.#checker = new Checker({ changed: (...change) => this.#healthChanged(...change) });
    this.#inventory = new Inventory({
      runtime: options.runtime,
      changed: () => this.#lookSoon(),
      outage: new Outage('Docker', report),
      problem,
      keepCrashedMs: options.deregister === 'on-success' ? ttlSeconds * 1000 : 0,
      resyncMs: options.resyncMs,
    });

    const registry = new ServiceRegistry(options.store, options.prefix, options.trafficPrefix);
    this.#leaseHolder = new LeaseHolder({
      grant: (ttl) => registry.lease(ttl),
      ttlSeconds,
      refreshSeconds,
      outage: storeOutage,
      granted: (lease) => {
        this.#writer.setLease(lease);
        this.#status.setLease(lease);
      },
    });
    this.#status = new StatusRecord({
      registry: new RegistratorRegistry(options.store, options.prefix),
      machine: options.machine,
      hostname,
      leaseLost: () => this.#leaseHolder.checkNow(),
      outage: storeOutage,
    });
    this.#writer = new RegistryWriter({
      registry,
      machine: options.machine,
      graceMs: options.graceMs,
      report,
      outage: storeOutage,
      instances: () => (this.#listed ? this.#instances() : null),
      problems: (found) => this.#status.setProblems('registry', found),
      leaseLost: () => this.#leaseHolder.checkNow(),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const loops = [
      (end: AbortSignal) => this.#inventory.follow(end),
      (end: AbortSignal) => this.#leaseHolder.run(end),
      (end: AbortSignal) => this.#writer.run(end),
      (end: AbortSignal) => this.#status.run(end),
    ];
    await together(loops, signal).finally(() => this.#checker.stop());
  }

  #healthChanged({ key }: Target, up: boolean, { text }: ProbeResult, before: boolean | null): void {
    const offer = this.#offers.get(key)?.offer;
    // While the runtime is away we only probe as a substitute: an unchanged result is not worth a line.
    const worthALine = offer?.check !== null || !up || before !== null;
    if (offer !== undefined && worthALine)
      this.#options.report.info(`Health check ${offer.service.id} (${addressOf(offer)}) result ${text}`);
    this.#writer.wake();
  }

  /** Events of the same moment are looked at together. */
  #lookSoon(): void {
    if (this.#lookScheduled) return;
    this.#lookScheduled = true;
    setImmediate(() => {
      this.#lookScheduled = false;
      this.#look();
    });
  }

  /** Makes offers, and targets of health checks, of the containers that run. */
  #look(): void {
    const { running, connected } = this.#inventory;
    if (running === null) return;
    this.#listed = true;
    const offers = new Map<string, { readonly offer: Offer; readonly running: Running }>();
    const problems: string[] = [];
    for (const item of running) {
      const known = this.#read(item.container);
      problems.push(...known.problems);
      for (const offer of known.offers) {
        const path = presencePath(offer);
        const { id, startedAt } = offer.service;
        const other = offers.get(path)?.offer.service;
        if (other !== undefined)
          problems.push(`service ${id}: two containers or ports have this id; the later start is announced`);
        if (other === undefined || other.startedAt < startedAt) offers.set(path, { offer, running: item });
      }
    }
    this.#offers = offers;
    this.#problems.set(problems);
    this.#status.setProblems('containers', problems);
    this.#status.setAnnounced(offers.size);
    this.#reportRuntimeHealth();
    const targets = [...offers.values()].flatMap(({ offer, running: { fresh } }): Target[] => {
      const target = targetOf(offer, fresh, this.#options.runtime, connected);
      return target === null ? [] : [target];
    });
    this.#checker.set(targets);
    this.#writer.wake();
  }

  /** Remembered by container: reading is expensive, and every event asks for all of them. */
  #read(container: Container): ReadOffers {
    const known = this.#offersOf.get(container);
    if (known !== undefined) return known;
    const found = servicesOf(container, this.#rules);
    const all = found.services.map(offerOf);
    const read = {
      offers: all.flatMap(({ offer }) => offer ?? []),
      problems: [...found.problems, ...all.flatMap(({ problems }) => problems)],
    };
    this.#offersOf.set(container, read);
    return read;
  }

  #instances(): Instance[] {
    return [...this.#offers].map(([path, { offer, running }]) => ({
      offer,
      up: this.#up(path, offer, running),
    }));
  }

  /** null = keep whatever is registered, which is only done for containers that were running before us. */
  #up(path: string, offer: Offer, { container, fresh }: Running): boolean | null {
    const unknown = fresh ? false : null;
    if (offer.check !== null) return this.#checker.up(path) ?? unknown;
    if (container.health === 'unhealthy') return false;
    if (container.health === 'starting') return unknown;
    return this.#inventory.connected ? true : this.#checker.up(path);
  }

  /** One line for each change that the runtime's own health check reports, where that check counts. */
  #reportRuntimeHealth(): void {
    for (const key of this.#runtimeHealth.keys()) if (!this.#offers.has(key)) this.#runtimeHealth.delete(key);
    for (const [path, { offer, running }] of this.#offers) {
      const { health } = running.container;
      if (offer.check !== null || health === null || this.#runtimeHealth.get(path) === health) continue;
      this.#runtimeHealth.set(path, health);
      if (health !== 'starting')
        this.#options.report.info(
          `Health check ${offer.service.id} (HEALTHCHECK of its container) result ${health}`,
        );
    }
  }
}

/** @throws `registrator-no-address` where the machine is not registered, or only for this computer. */
async function registeredAddress({ store, prefix, machine }: RegistratorOptions): Promise<string> {
  const { machines } = await new Registry(store, prefix).load();
  const address = machines.get(machine)?.target.address;
  if (address !== undefined && !isLoopback(address)) return address;
  const id = machine.slice(0, 8);
  throw new ClusterError(
    'registrator-no-address',
    address === undefined
      ? `machine ${id} is not registered, so the address of its containers is not known`
      : `machine ${id} is registered as ${address}, where other machines cannot reach it`,
    { hint: 'give --ip ADDRESS (CLUSTER_IP), or register it: cluster machine add root@ADDRESS' },
  );
}
