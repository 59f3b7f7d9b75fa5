import type { MachineFacts, MachineTarget } from '../machine/port.ts';
import type { Desired } from '../plan/model.ts';

/** A machine as the registry knows it: how to reach it and what was read from it when it was added. */
export interface MachineRecord {
  readonly v: 1;
  readonly id: string;
  readonly target: MachineTarget;
  readonly facts: MachineFacts;
  readonly metadata: Readonly<Record<string, string>>;
}

/** What a unit should be. Instances of one template share one stored file through `hash`. */
export interface UnitRecord {
  readonly v: 1;
  readonly name: string;
  readonly hash: string;
  readonly desired: Desired;
  /** Placement; null = nowhere, and always null for a global unit. */
  readonly machine: string | null;
}

export interface FileRecord {
  readonly v: 1;
  readonly text: string;
}

/** A value that could not be read: reported by its key and left alone. */
export interface Problem {
  readonly key: string;
  readonly message: string;
}

/** Everything under our prefix at one store revision. */
export interface RegistryState {
  readonly machines: ReadonlyMap<string, MachineRecord>;
  readonly units: ReadonlyMap<string, UnitRecord>;
  /** Unit file text by hash. */
  readonly files: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
  /** Revision of the last write per key; absent = no such key. */
  readonly revisions: ReadonlyMap<string, number>;
  readonly revision: number;
}

/** A change to the registry: `null` removes. Files that nobody names any more go with the units. */
export interface RegistryChange {
  readonly machines?: ReadonlyMap<string, MachineRecord | null>;
  readonly units?: ReadonlyMap<string, UnitRecord | null>;
  readonly files?: ReadonlyMap<string, string>;
}
