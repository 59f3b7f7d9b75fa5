/**
 * What commands do with units: ask machines, decide, write, carry out, report. It must not know traffic, and no rule
 * of placement stands here.
 */
import { ClusterError } from '../../error.ts';
import type { Machine, MachineOwner, ManifestEntry } from '../../machine/index.ts';
import type { Observation } from '../../plan/model.ts';
import type { MachineRecord, RegistryIdentity } from '../../registry/index.ts';
import { nameMachine } from '../away.ts';
import type { Session } from '../session.ts';
import { checkOwner, isOutOfDate } from './owner.ts';

/** One machine's answer, or why there is none. */
export type Answer<Value> =
  | { readonly machine: MachineRecord; readonly value: Value }
  | { readonly machine: MachineRecord; readonly error: ClusterError };

/** Asks all machines side by side; one that does not answer never holds up or fails the others. */
export async function askAll<Value>(
  session: Session,
  machines: readonly MachineRecord[],
  ask: (machine: Machine, record: MachineRecord) => Promise<Value>,
): Promise<Answer<Value>[]> {
  return Promise.all(
    machines.map(async (record): Promise<Answer<Value>> => {
      try {
        return { machine: record, value: await ask(await session.machine(record), record) };
      } catch (error) {
        if (error instanceof ClusterError) return { machine: record, error: nameMachine(record, error) };
        throw error;
      }
    }),
  );
}

/** Every machine that runs units of ours has it, so that asking for it shows nothing but whether systemd answers. */
const PROBE = 'cluster.target';

/**
 * Which machines answered in this run, and why the others did not. Each is asked once: a machine that was found away
 * stays away until the run ends, so that all of a run rests on the same answers.
 */
export class Reachability {
  readonly #session: Session;
  readonly #takenOver: ReadonlySet<string>;
  readonly #asked = new Set<string>();
  readonly #errors = new Map<string, ClusterError>();
  readonly #away = new Set<string>();

  /** @param takenOver ids of machines that this run makes this registry's, whosever they are now. */
  constructor(session: Session, takenOver: ReadonlySet<string> = new Set()) {
    this.#session = session;
    this.#takenOver = takenOver;
  }

  /** Ids of machines that were asked and did not answer. */
  get away(): ReadonlySet<string> {
    return this.#away;
  }

  /** Why a machine that is away did not answer. */
  why(id: string): ClusterError | undefined {
    return this.#errors.get(id);
  }

  /**
   * Asks those that were not asked yet, side by side. @returns whether all of them answered and are this registry's.
   * @throws `registry-older`, `registry-diverged`: with such a registry nothing may be decided.
   */
  async ask(machines: Iterable<MachineRecord>, identity: RegistryIdentity): Promise<boolean> {
    const unknown = [...machines].filter(({ id }) => !this.#asked.has(id));
    for (const { id } of unknown) this.#asked.add(id);
    const answers = await askAll(this.#session, unknown, async (machine, record) => {
      const [{ owner }] = await Promise.all([machine.manifest(), machine.statuses([PROBE])]);
      if (!this.#takenOver.has(record.id)) await checkOwner(this.#session, record, owner, identity);
    });
    for (const answer of answers) {
      if (!('error' in answer)) continue;
      if (isOutOfDate(answer.error)) throw answer.error;
      this.#note(answer.machine.id, answer.error);
    }
    return !answers.some((answer) => 'error' in answer);
  }

  /** @throws what the machine's first answer was, where it is away; else as `Session.machine`. */
  async machine(record: MachineRecord): Promise<Machine> {
    const error = this.#errors.get(record.id);
    if (error !== undefined) throw error;
    return this.#session.machine(record);
  }

  #note(id: string, error: ClusterError): void {
    this.#errors.set(id, error);
    this.#away.add(id);
  }
}

/** What a machine has of some units. */
export interface Observed {
  /** Whose the machine is; null: of no cluster. */
  readonly owner: MachineOwner | null;
  readonly observations: Observation[];
  /** Tickets of changes that earlier runs left undone and that concern no other units. */
  readonly settles: readonly string[];
}

/** What one machine has of these units, and of everything else that we installed when `all` is set. */
export async function observe(
  machine: Machine,
  id: string,
  units: ReadonlySet<string>,
  all: boolean,
): Promise<Observed> {
  const manifest = machine.manifest();
  if (!all) {
    const asked = machine.statuses([...units], true);
    const [states, { owner, units: entries }] = await Promise.all([asked, manifest]);
    return { owner, ...merge(id, states, entries) };
  }
  const { owner, units: entries } = await manifest;
  const names = new Set([...units, ...entries.map(({ unit }) => unit)]);
  return { owner, ...merge(id, await machine.statuses([...names], true), entries) };
}

function merge(
  machine: string,
  states: Awaited<ReturnType<Machine['statuses']>>,
  entries: readonly ManifestEntry[],
): Omit<Observed, 'owner'> {
  const known = new Map(entries.map((entry) => [entry.unit, entry]));
  const observations = states.map(({ unit, load, active, sub, why, unmet }) => {
    const entry = known.get(unit);
    const hash = entry?.hash ?? null;
    const boot = entry !== undefined && hash !== null && (entry.boot ?? false);
    const unsettled = entry?.unsettled !== undefined;
    const more = {
      ...(hash !== null && { boot }),
      ...(unsettled && { unsettled }),
      ...(why !== undefined && { why }),
      ...(unmet && { unmet }),
    };
    return { machine, unit, hash, load, active, sub, ...more };
  });
  return { observations, settles: coveredTickets(new Set(states.map(({ unit }) => unit)), entries) };
}

/** Changes that others left unsettled and whose units are all among these: whoever does them anew settles them. */
function coveredTickets(units: ReadonlySet<string>, entries: readonly ManifestEntry[]): string[] {
  const uncovered = new Set(
    entries.filter(({ unit }) => !units.has(unit)).flatMap(({ unsettled = [] }) => unsettled),
  );
  const all = new Set(entries.flatMap(({ unsettled = [] }) => unsettled));
  return [...all].filter((ticket) => !uncovered.has(ticket));
}
