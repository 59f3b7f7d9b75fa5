import { ClusterError, EXIT } from '../../error.ts';
import { type Decision, decide, UnitFacts } from '../../plan/index.ts';
import type { Intent } from '../../plan/model.ts';
import type { MachineRecord, RegistryIdentity, RegistryState, Written } from '../../registry/index.ts';
import { reportPassedOver } from '../report.ts';
import type { Session } from '../session.ts';
import { Reachability } from './ask.ts';
import { commitsOf } from './commits.ts';

/** What a command wants, and what else it found while it worked that out. */
export interface Intended<Value> {
  readonly intent: Intent<MachineRecord>;
  /** Paths of the local files that it brings, by hash. */
  readonly sources?: ReadonlyMap<string, string>;
  readonly value: Value;
}

/** A decision, the registry that it rests on, and which machines answered when it was made. */
export interface Decided<Value = unknown> {
  readonly before: RegistryState;
  readonly decision: Decision<MachineRecord>;
  readonly reachability: Reachability;
  /** Of the registry, after what was decided was recorded. */
  readonly identity: RegistryIdentity;
  readonly value: Value;
  /** null: nothing was recorded, it is a preview. */
  readonly written: Written | null;
}

type Intend<Value> = (state: RegistryState) => Promise<Intended<Value>> | Intended<Value>;

/** How often a decision is made again when somebody else changed other units meanwhile. */
const CONFLICTS = 20;

/** How often it is made again because machines that it chose did not answer. */
const ROUNDS = 5;

/**
 * Decides what an intent means and records it. `intend` runs again on the newest state whenever somebody else was
 * faster; what it returned last is handed back.
 * @throws `changed-meanwhile` (exit 6) when somebody else changed the same unit or machine; `registry-moved`,
 * `registry-older`, `registry-diverged` (exit 6) for a registry that is not the newest one.
 */
export async function write<Value>(
  session: Session,
  intend: Intend<Value>,
  options: DecideOptions = {},
): Promise<Decided<Value>> {
  return decideOnReachable(session, intend, { ...options, record: true });
}

/** Decides as `write` does, and records nothing. */
export async function preview<Value>(
  session: Session,
  intend: Intend<Value>,
  options: DecideOptions = {},
): Promise<Decided<Value>> {
  return decideOnReachable(session, intend, { ...options, record: false });
}

interface DecideOptions {
  /** What earlier decisions of this run found out. */
  readonly reachability?: Reachability;
  /** The run goes on to all machines, so once one is away all are asked at the same time, for one time-out in all. */
  readonly everywhere?: boolean;
  /** Note how machines were ranked for what is placed anew. */
  readonly scores?: boolean;
}

/**
 * Machines that a decision chooses for units are asked before it is recorded, no others; one that does not answer is
 * left out and the decision is made again. Recording comes before anything is changed on a machine.
 */
async function decideOnReachable<Value>(
  session: Session,
  intend: Intend<Value>,
  options: DecideOptions & { readonly record: boolean },
): Promise<Decided<Value>> {
  const { record, everywhere = false, scores = false, reachability = new Reachability(session) } = options;
  const registry = await session.registry();
  let before = await session.state({ toChange: record });
  let rounds = 0;
  for (let conflicts = 0; conflicts < CONFLICTS; before = await registry.load()) {
    const { intent, value, sources = new Map() } = await intend(before);
    const decision = decide(before, intent, reachability, new UnitFacts(), { scores });
    if (rounds < ROUNDS && !(await reachability.ask(chosenMachines(decision), before.identity))) {
      rounds++;
      if (everywhere) await reachability.ask(decision.machines.values(), before.identity);
      continue;
    }
    const commits = record ? await commitsOf(sources, decision.change.files ?? new Map()) : undefined;
    const written = record ? await registry.change(before, decision.change, commits) : null;
    if (written !== 'moved') {
      const identity = written?.identity ?? before.identity;
      return { before, decision, reachability, identity, value, written };
    }
    await new Promise((resolve) => setTimeout(resolve, 5 * conflicts + Math.random() * 20));
    conflicts++;
  }
  throw new ClusterError('changed-meanwhile', 'somebody else keeps changing the cluster', {
    hint: 'try again in a moment',
    exit: EXIT.conflict,
  });
}

function chosenMachines({ chosen, machines }: Decision<MachineRecord>): MachineRecord[] {
  return [...chosen].flatMap((id) => machines.get(id) ?? []);
}

/** Names the machines that were chosen first and did not answer, except those that are reported anyway. */
export function warnOfPassedOver(
  session: Session,
  { before, decision, reachability }: Decided,
  reported: { has(id: string): boolean } = new Set(),
): void {
  for (const id of reachability.away) {
    const record = decision.machines.get(id) ?? before.machines.get(id);
    const error = reachability.why(id);
    if (record !== undefined && error !== undefined && !reported.has(id))
      reportPassedOver(session, record, error);
  }
}
