import { ClusterError } from '../error.ts';
import {
  Backoff,
  follow,
  type Outage,
  ProblemList,
  pause,
  type Report,
  together,
  Wakeup,
} from '../keep/index.ts';
import {
  readPresence,
  type ServiceArea,
  type ServiceEdit,
  type ServiceRegistry,
  type ServiceWrite,
} from '../registry/index.ts';
import { inBatches } from '../store/limits.ts';
import { parsePath } from '../traffic/index.ts';
import { LocalCopy } from './local-copy.ts';
import { type Instance, registryEdits, type View } from './offers/edits.ts';
import { type Idle, sweep } from './offers/sweep.ts';

export interface RegistryWriterOptions {
  readonly registry: ServiceRegistry;
  /** machine-id */
  readonly machine: string;
  /** How long shared objects outlive the last instance. */
  readonly graceMs: number;
  /** What should be announced now; null = not known yet, and then nothing is touched. */
  readonly instances: () => readonly Instance[] | null;
  /** The store says that our lease is gone. */
  readonly leaseLost: () => void;
  /** What is in the way in the registry now. */
  readonly problems: (problems: readonly string[]) => void;
  readonly report: Report;
  readonly outage: Outage;
}

/** The name of this part of the registrator in the store's outage. */
const PART = 'write';
/** How often others may defeat our writes in a row before everything is read again. */
const STALE_AFTER = 5;

/** Makes the registry say what runs on this machine, again whenever either of them changes. */
export class RegistryWriter {
  readonly #options: RegistryWriterOptions;
  readonly #copies: Readonly<Record<ServiceArea, LocalCopy>>;
  readonly #loaded = new Set<LocalCopy>();
  readonly #problems: ProblemList;
  readonly #wakeup = new Wakeup();
  readonly #backoff = new Backoff({ mostMs: 1000 });
  /** Transactions in a row that writes of others defeated. */
  readonly #defeats = { count: 0, backoff: new Backoff({ firstMs: 10, mostMs: 200 }) };
  /** Every lease of this machine's registrator, of this run and of earlier ones. */
  readonly #ownLeases = new Set<string>();
  #lease: string | undefined;
  #idle: Idle = new Map();
  #sweepTimer: NodeJS.Timeout | undefined;
  #decidedInMs = 0;

  constructor(options: RegistryWriterOptions) {
    this.#options = options;
    const { registry, report } = options;
    this.#problems = new ProblemList((problem) => report.warning(problem));
    this.#copies = {
      traffic: new LocalCopy(registry, 'traffic'),
      presence: new LocalCopy(registry, 'presence'),
      leaving: new LocalCopy(registry, 'leaving'),
    };
  }

  /** Something changed: looks again. */
  wake(): void {
    this.#wakeup.wake();
  }

  /** Everything that is ours moves to this lease. */
  setLease(lease: string): void {
    this.#lease = lease;
    this.#ownLeases.add(lease);
    this.wake();
  }

  /**
   * Runs until the signal aborts; what is announced then stays, on its lease.
   * @throws `registrator-displaced` when another registrator of this machine has taken over.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { traffic, presence, leaving } = this.#copies;
    const loops = [
      (end: AbortSignal) => this.#follow(traffic, 'traffic', end),
      (end: AbortSignal) => this.#follow(presence, 'presence', end),
      (end: AbortSignal) => this.#follow(leaving, 'leaving', end),
      (end: AbortSignal) => this.#write(end),
    ];
    await together(loops, signal).finally(() => clearTimeout(this.#sweepTimer));
  }

  #follow(copy: LocalCopy, part: string, signal: AbortSignal): Promise<void> {
    const onState = (): void => {
      if (copy === this.#copies.presence && !this.#loaded.has(copy)) this.#inherit();
      this.#loaded.add(copy);
      this.wake();
    };
    return follow(copy, { onState, outage: this.#options.outage, part }, signal);
  }

  /** An earlier run on this machine left announcements on its leases: they are ours now. */
  #inherit(): void {
    for (const { value, lease } of this.#copies.presence.objects.values())
      if (lease !== null && readPresence(value)?.machine === this.#options.machine)
        this.#ownLeases.add(lease);
  }

  async #write(signal: AbortSignal): Promise<void> {
    const { outage, leaseLost } = this.#options;
    for (;;) {
      await this.#wakeup.wait(signal);
      if (signal.aborted) return;
      try {
        if (!(await this.#writeOnce())) await this.#defeated(signal);
        else this.#defeats.count = 0;
        this.#backoff.reset();
        outage.recovered(PART);
        // With thousands of containers, deciding leaves half of the time to the checks.
        if (this.#decidedInMs > 2) await pause(this.#decidedInMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        const code = error instanceof ClusterError ? error.code : '';
        if (code === 'registrator-displaced') throw error;
        if (code === 'lease-expired') leaseLost();
        else outage.failed(PART, error);
        await pause(this.#backoff.next(), signal);
        this.wake();
      }
    }
  }

  /** false = somebody else changed what the decision rested on. */
  async #writeOnce(): Promise<boolean> {
    const instances = this.#options.instances();
    const { traffic, presence, leaving } = this.#copies;
    if (this.#lease === undefined || this.#loaded.size < 3 || instances === null) return true;
    const view: View = {
      machine: this.#options.machine,
      lease: this.#lease,
      ownLeases: this.#ownLeases,
      traffic: traffic.objects,
      presence: presence.objects,
      leaving: leaving.objects,
    };
    this.#refuseDisplaced(view);

    const started = performance.now();
    const { groups, problems } = registryEdits(view, instances);
    this.#decidedInMs = performance.now() - started;
    this.#problems.set(problems);
    this.#options.problems(problems);

    for (const edits of transactions(groups)) if (!(await this.#commit(edits))) return false;
    return this.#sweep(view);
  }

  async #sweep(view: View): Promise<boolean> {
    const now = performance.now();
    const { graceMs, registry } = this.#options;
    const { edits, idle } = sweep(view, this.#idle, now, graceMs);
    this.#idle = idle;
    // One by one: another registrator sweeps as well, and may have removed some of them first.
    for (const edit of edits) {
      // The store itself is asked: our copy may be behind, and no compare would notice a new instance.
      const { kind, id = '' } = parsePath(edit.path) ?? {};
      if (await registry.isNeeded(kind === 'frontend' ? kind : 'backend', id)) return false;
      if (!(await this.#commit([edit]))) return false;
    }

    const waiting = [...idle.values()].map((since) => since + graceMs - now).filter((ms) => ms > 0);
    clearTimeout(this.#sweepTimer);
    if (waiting.length > 0) this.#sweepTimer = setTimeout(() => this.wake(), Math.min(...waiting) + 1);
    return true;
  }

  async #commit(edits: readonly ServiceEdit[]): Promise<boolean> {
    const { registry, report } = this.#options;
    const done = await registry.write(edits, (area, path) => this.#copies[area].objects.get(path));
    if (done === null) return false;
    for (const write of done) {
      this.#copies[write.area].wrote(write);
      const line = description(write);
      if (line !== null) report.info(line);
    }
    return true;
  }

  /** The watch will deliver what others wrote meanwhile; where it does not, everything is read again. */
  async #defeated(signal: AbortSignal): Promise<void> {
    const { backoff } = this.#defeats;
    if (this.#defeats.count++ === 0) backoff.reset();
    await pause(backoff.next(), signal);
    if (this.#defeats.count % STALE_AFTER === 0)
      for (const copy of Object.values(this.#copies)) copy.invalidate();
    this.wake();
  }

  #refuseDisplaced({ machine, presence, ownLeases }: View): void {
    for (const { value, lease } of presence.values()) {
      if (lease === null || ownLeases.has(lease) || readPresence(value)?.machine !== machine) continue;
      throw new ClusterError('registrator-displaced', 'another registrator of this machine has taken over', {
        hint: 'one is enough: systemctl status registrator.service shows who else runs here',
      });
    }
  }
}

/** As few transactions as possible; a group is only divided when it is too long for one. */
function transactions(groups: readonly (readonly ServiceEdit[])[]): ServiceEdit[][] {
  const out: ServiceEdit[][] = [];
  for (const group of groups) {
    const last = out.at(-1);
    const joined = inBatches([...(last ?? []), ...group]);
    const [only] = joined;
    if (last !== undefined && joined.length === 1 && only !== undefined) out[out.length - 1] = only;
    else out.push(...inBatches(group));
  }
  return out;
}

/** What a write means to a person who reads the journal; null for what is not worth a line. */
function description({ area, path, value, before }: ServiceWrite): string | null {
  const object = area === 'traffic' ? parsePath(path) : null;
  if (object?.kind === 'server') {
    const where = object.parent === object.id ? '' : ` in backend ${object.parent}`;
    if (value === null) return `Took out ${object.id} (${before?.URL})${where}`;
    return before?.URL === value.URL ? null : `Announced ${object.id} (${value.URL})${where}`;
  }
  if (object?.kind !== 'frontend') return null;
  if (value === null) return `Removed frontend ${object.id}`;
  return before?.Route === value.Route ? null : `Frontend ${object.id} serves ${value.Route}`;
}
