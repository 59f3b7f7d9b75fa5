import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError } from '../error.ts';
import { Tenure } from '../keep/lease-holder.ts';
import { Registry } from '../registry/index.ts';
import type { Store } from '../store/port.ts';
import { Announcer } from './announcer.ts';
import { Checker, type Target } from './checker.ts';
import { Complaints } from './complaints.ts';
import { Inventory, type Running } from './containers/inventory.ts';
import type { Engine } from './containers/port.ts';
import type { Instance } from './offers/edits.ts';
import type { Container, Offer } from './offers/model.ts';
import { offerOf } from './offers/offer.ts';
import { presencePath } from './offers/presence.ts';
import { isLoopback, type ServiceOptions, servicesOf } from './offers/services.ts';
import { placeOf, targetOf } from './offers/targets.ts';
import { Troubles } from './troubles.ts';

export interface RegistratorOptions {
  readonly store: Store;
  readonly engine: Engine;
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
  readonly print: (line: string) => void;
  readonly problem: (message: string) => void;
}

/**
 * Announces this machine's containers until the signal aborts; what is announced then stays on its lease, for the next
 * run to take over. Docker and the store may come and go.
 * @throws `bad-ttl`, `registrator-no-address`, `registrator-displaced`.
 */
export async function runRegistrator(options: RegistratorOptions, signal: AbortSignal): Promise<void> {
  const { ttlSeconds, refreshSeconds } = options;
  if (ttlSeconds <= refreshSeconds)
    throw new ClusterError(
      'bad-ttl',
      `--ttl ${ttlSeconds} is not greater than --ttl-refresh ${refreshSeconds}`,
      {
        hint: 'twice as long at least, so that one lost renewal does no harm: --ttl 11 --ttl-refresh 5',
      },
    );
  const address = options.ip ?? (await registeredAddress(options, signal));
  if (address !== null) await new Registrator(options, address).run(signal);
}

interface Read {
  readonly offers: readonly Offer[];
  readonly problems: readonly string[];
}

class Registrator {
  readonly #options: RegistratorOptions;
  readonly #rules: ServiceOptions;
  readonly #inventory: Inventory;
  readonly #checker: Checker;
  readonly #announcer: Announcer;
  readonly #tenure: Tenure;
  /** By path of presence: the offer and what Docker's own health check says. */
  #offers = new Map<string, { readonly offer: Offer; readonly running: Running }>();
  readonly #reads = new WeakMap<Container, Read>();
  #known = false;
  #looking = false;
  readonly #complaints: Complaints;
  readonly #dockerHealth = new Map<string, string>();

  constructor(options: RegistratorOptions, address: string) {
    this.#options = options;
    this.#complaints = new Complaints(options.problem);
    const { hostname, internal, explicit, tags, print, problem } = options;
    this.#rules = { hostname, address, forced: options.ip !== null, internal, explicit, tags };
    this.#checker = new Checker({
      changed: (target, up, { said }, before) => {
        const offer = this.#offers.get(target.key)?.offer;
        // Of what is only asked because Docker is away, that all is as it was is no news.
        const news = offer?.check !== null || !up || before !== null;
        if (offer !== undefined && news)
          print(`Health check ${offer.service.id} (${placeOf(offer)}) result ${said}`);
        this.#announcer.wake();
      },
    });
    this.#inventory = new Inventory({
      engine: options.engine,
      changed: () => this.#lookSoon(),
      problem,
      keepCrashedMs: options.deregister === 'on-success' ? options.ttlSeconds * 1000 : 0,
      resyncMs: options.resyncMs,
    });
    const troubles = new Troubles(problem);
    this.#tenure = new Tenure({
      ...options,
      troubles,
      renewed: (lease) => this.#announcer.setLease(lease),
    });
    this.#announcer = new Announcer({
      ...options,
      troubles,
      instances: () => (this.#known ? this.#instances() : null),
      leaseLost: () => this.#tenure.hurry(),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const failures: unknown[] = [];
    const part = (work: Promise<void>): Promise<void> =>
      work.catch((error) => {
        failures.push(error);
        over.abort();
      });
    await Promise.all([
      part(this.#inventory.follow(either)),
      part(this.#tenure.hold(either)),
      part(this.#announcer.run(either)),
    ]);
    this.#checker.stop();
    if (failures.length > 0) throw failures[0];
  }

  /** Many events of one moment are one look. */
  #lookSoon(): void {
    if (this.#looking) return;
    this.#looking = true;
    setImmediate(() => {
      this.#looking = false;
      this.#look();
    });
  }

  /** What Docker told last, as offers and as targets of checks. */
  #look(): void {
    const { running, connected } = this.#inventory;
    if (running === null) return;
    this.#known = true;
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
    this.#complaints.report(problems);
    this.#hearDocker();
    const targets = [...offers.values()].flatMap(({ offer, running: { fresh } }): Target[] => {
      const target = targetOf(offer, fresh, this.#options.engine, connected);
      return target === null ? [] : [target];
    });
    this.#checker.set(targets);
    this.#announcer.wake();
  }

  /** Once for each container as Docker described it: reading it is dear, and any event asks for all of them. */
  #read(container: Container): Read {
    const known = this.#reads.get(container);
    if (known !== undefined) return known;
    const found = servicesOf(container, this.#rules);
    const all = found.services.map(offerOf);
    const read = {
      offers: all.flatMap(({ offer }) => offer ?? []),
      problems: [...found.problems, ...all.flatMap(({ problems }) => problems)],
    };
    this.#reads.set(container, read);
    return read;
  }

  #instances(): Instance[] {
    return [...this.#offers].map(([path, { offer, running }]) => ({
      offer,
      up: this.#up(path, offer, running),
    }));
  }

  /** null = whoever stands there, stands: only for what was there before us. */
  #up(path: string, offer: Offer, { container, fresh }: Running): boolean | null {
    const unknown = fresh ? false : null;
    if (offer.check !== null) return this.#checker.up(path) ?? unknown;
    if (container.health === 'unhealthy') return false;
    if (container.health === 'starting') return unknown;
    return this.#inventory.connected ? true : this.#checker.up(path);
  }

  /** One line for each change of what Docker's own health check says, where it counts. */
  #hearDocker(): void {
    for (const key of this.#dockerHealth.keys()) if (!this.#offers.has(key)) this.#dockerHealth.delete(key);
    for (const [path, { offer, running }] of this.#offers) {
      const { health } = running.container;
      if (offer.check !== null || health === null || this.#dockerHealth.get(path) === health) continue;
      this.#dockerHealth.set(path, health);
      if (health !== 'starting')
        this.#options.print(
          `Health check ${offer.service.id} (HEALTHCHECK of its container) result ${health}`,
        );
    }
  }
}

const AGAIN_MS = 1000;

/** null when the signal aborted before the store could say. */
async function registeredAddress(options: RegistratorOptions, signal: AbortSignal): Promise<string | null> {
  const registry = new Registry(options.store, options.prefix);
  for (let said = ''; !signal.aborted; ) {
    try {
      const address = (await registry.load()).machines.get(options.machine)?.target.address;
      if (address !== undefined && !isLoopback(address)) return address;
      const id = options.machine.slice(0, 8);
      throw new ClusterError(
        'registrator-no-address',
        address === undefined
          ? `machine ${id} is not registered, so nobody knows where its containers are reached`
          : `machine ${id} is registered as ${address}, where other machines do not reach it`,
        { hint: 'give --ip ADDRESS (CLUSTER_IP), or register it: cluster machine add root@ADDRESS' },
      );
    } catch (error) {
      if (!(error instanceof ClusterError) || !/^store-/.test(error.code)) throw error;
      if (error.message !== said) options.problem(error.message);
      said = error.message;
      await sleep(AGAIN_MS, undefined, { signal }).catch(() => undefined);
    }
  }
  return null;
}
