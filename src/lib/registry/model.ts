import type { MachineFacts, MachineTarget } from '../machine/port.ts';
import type { Cordon, Desired, LeavingUnit } from '../plan/model.ts';
import type { MovedTo, RegistryIdentity } from './identity.ts';

/** A machine as the registry knows it: how to reach it and what was read from it when it was added. */
export interface MachineRecord {
  readonly v: 1;
  readonly id: string;
  readonly target: MachineTarget;
  readonly facts: MachineFacts;
  readonly metadata: Readonly<Record<string, string>>;
  /** The machine was given the cluster's id: without one, it was made anew. Absent = added by an older program. */
  readonly owned?: true;
  /** Who keeps new units away, by owner: `operator`, or a rollout as `rollout/7`. Absent = nobody. */
  readonly cordons?: Readonly<Record<string, Cordon>>;
}

/** What a unit should be. Instances of one template share one stored file through `hash`. */
export interface UnitRecord {
  readonly v: 1;
  readonly name: string;
  readonly hash: string;
  readonly desired: Desired;
  /** Placement; null = nowhere, and always null for a global unit. */
  readonly machine: string | null;
  /** Only of a global unit: machines that are to have another file than `hash`, each with its hash. Absent = none. */
  readonly hashes?: Readonly<Record<string, string>>;
}

/** A value that cannot be read: reported by its key and left alone. */
export interface Problem {
  readonly key: string;
  readonly message: string;
  /** Of a unit whose file is not there: the file's hash. */
  readonly missing?: string;
  /** The key's own value can be read; another key is at fault. */
  readonly follows?: true;
}

/** Machines, units and their files at one store revision. */
export interface RegistryState {
  readonly machines: ReadonlyMap<string, MachineRecord>;
  readonly units: ReadonlyMap<string, UnitRecord>;
  /** Unit file text by hash. */
  readonly files: ReadonlyMap<string, string>;
  /** Units that machines still have to be rid of, by `leavingKey`. */
  readonly leaving: ReadonlyMap<string, LeavingUnit>;
  readonly problems: readonly Problem[];
  /** Names of units that are recorded and cannot be read: what machines have of them is left alone. */
  readonly unreadable: ReadonlySet<string>;
  readonly identity: RegistryIdentity;
  /** `registry copy` took everything to another place; null = this is the registry. */
  readonly moved: MovedTo | null;
  /** Revision of the last write per key of these kinds, and of `schedule`, `id`, `generation` and `moved`; absent = no such key. */
  readonly revisions: ReadonlyMap<string, number>;
  readonly revision: number;
}

/** A change to the registry: `null` removes. A file goes with the last unit that names it. */
export interface RegistryChange {
  readonly machines?: ReadonlyMap<string, MachineRecord | null>;
  readonly units?: ReadonlyMap<string, UnitRecord | null>;
  readonly files?: ReadonlyMap<string, string>;
  readonly leaving?: ReadonlyMap<string, LeavingUnit | null>;
}

/** What a change left in the store. */
export interface Written {
  /** Revision of the `schedule` key: whoever finds another one there has to look again. */
  readonly schedule: number;
  /** Of each path that was written. */
  readonly revisions: ReadonlyMap<string, number>;
  /** The registry's identity after the change. */
  readonly identity: RegistryIdentity;
}
