/** `inactive` = known only, `loaded` = placed and installed, `launched` = started. fleet's words. */
export type Desired = 'inactive' | 'loaded' | 'launched';

export interface MachineView {
  readonly id: string;
  readonly address?: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** What the machine has, as far as it is known. */
  readonly facts?: MachineSize;
  /** No new unit comes here; what is here stays. */
  readonly cordoned?: boolean;
  /** Who wants that no new unit comes here, by owner. Absent or empty = nobody. */
  readonly cordons?: Readonly<Record<string, Cordon>>;
  /** Could not be reached: what is placed here stays, nothing new comes. */
  readonly unreachable?: boolean;
}

/** No new unit comes to a machine, as one owner (`operator`, `rollout/7`) wants it. */
export interface Cordon {
  /** `user@computer`. */
  readonly who: string;
  /** ISO 8601, by the clock of that computer: for people only. */
  readonly since: string;
  readonly reason?: string;
  /** Global units that stay; others have to leave. Absent = all that qualify are here. */
  readonly globals?: readonly string[];
}

export interface MachineSize {
  /** Bytes in all. */
  readonly memory?: number;
  /** CPUs that are online. */
  readonly cpus?: number;
}

/** One unit of the desired cluster. */
export interface UnitView {
  readonly name: string;
  /** Text of the unit file. */
  readonly file: string;
  readonly desired: Desired;
  /** Where it is placed now; null = nowhere. Always null for a global unit. */
  readonly machine: string | null;
  /** Only global units: the machines that already run it. Absent = none known. */
  readonly machines?: readonly string[];
}

/** A unit as it is recorded: its file by hash, so that instances of a template share one. */
export interface UnitEntry {
  readonly v: 1;
  readonly name: string;
  readonly hash: string;
  readonly desired: Desired;
  /** Where it is placed; null = nowhere, and always null for a global unit. */
  readonly machine: string | null;
  /** Only of a global unit: machines that are to have another file than `hash`, each with its hash. Absent = none. */
  readonly hashes?: Readonly<Record<string, string>>;
}

/** Hash of the file that a machine is to have of a unit. */
export const hashOn = ({ hash, hashes }: Pick<UnitEntry, 'hash' | 'hashes'>, machine: string): string =>
  hashes?.[machine] ?? hash;

/**
 * A unit that was taken off a machine and may still be there: it was destroyed, unloaded or moved, and the machine has
 * not confirmed yet that nothing of it is left.
 */
export interface LeavingUnit {
  readonly v: 1;
  readonly unit: string;
  readonly machine: string;
}

/** Where a leaving unit stands in `ClusterState.leaving`. */
export const leavingKey = (unit: string, machine: string): string => `${unit}/${machine}`;

/** What is recorded of a cluster, at one moment; the registry's state is one. */
export interface ClusterState<Machine extends MachineView = MachineView> {
  readonly machines: ReadonlyMap<string, Machine>;
  readonly units: ReadonlyMap<string, UnitEntry>;
  /** Unit file text by hash. */
  readonly files: ReadonlyMap<string, string>;
  /** Units that machines still have to be rid of, by `leavingKey`. Absent = none. */
  readonly leaving?: ReadonlyMap<string, LeavingUnit>;
}

/** What a unit should be. Without `hashes`, machines keep files of their own as long as `hash` stays the same. */
export type UnitWish = Pick<UnitEntry, 'hash' | 'desired' | 'hashes'>;

/** What should be different from the recorded state. `null` = destroyed or removed. By default about units only. */
export interface Intent<Machine extends MachineView = never> {
  readonly units?: ReadonlyMap<string, UnitWish | null>;
  readonly machines?: ReadonlyMap<string, Machine | null>;
  readonly files?: ReadonlyMap<string, string>;
  /** Units to be placed elsewhere although they may stay, by name. The target has to be one that no rule excludes. */
  readonly moves?: ReadonlyMap<string, Relocation>;
}

/** Where a unit should go that is on a machine, and what for. */
export interface Relocation {
  /** null = wherever the rules and preferences place it. */
  readonly machine: string | null;
  readonly reason: string;
}

/** What has to be recorded so that an intent holds, placements included. `null` = the record goes. */
export interface StateChange<Machine extends MachineView = MachineView> {
  readonly units: ReadonlyMap<string, UnitEntry | null>;
  readonly machines?: ReadonlyMap<string, Machine | null>;
  readonly files?: ReadonlyMap<string, string>;
  /** By `leavingKey`. */
  readonly leaving?: ReadonlyMap<string, LeavingUnit | null>;
}

/** What is known of machines that is not recorded. */
export interface Known {
  /** Machines that do not answer: what is placed there stays, nothing new is placed there. */
  readonly away?: ReadonlySet<string>;
  /** Machines that have a global unit installed, by unit: a cordoned machine keeps it. See `installedOn`. */
  readonly installed?: ReadonlyMap<string, readonly string[]>;
}

/** Why a unit comes to a machine or leaves it; undefined where the unit's own state says enough. */
export type Why = (machine: string, unit: string) => string | undefined;

/** What the cluster should be, as `place` takes it. */
export interface Snapshot {
  readonly machines: readonly MachineView[];
  readonly units: readonly UnitView[];
}

export interface Placement {
  readonly unit: string;
  readonly machine: string;
  readonly previous: string | null;
  readonly reason: string;
  /** The first three machines at the moment of the decision, where scores were asked for and one was made. */
  readonly scores?: readonly MachineScore[];
}

/** How a machine was ranked for a unit. */
export interface MachineScore {
  readonly machine: string;
  /** In the order in which they decide; the lowest is the best. */
  readonly score: Readonly<Record<string, number>>;
}

export interface Exclusion {
  readonly machine: string;
  /** Name of the rule that excludes the machine: one of plan/rules. */
  readonly rule: string;
  /** A sentence for people: which value, which unit. */
  readonly detail: string;
}

export interface Refusal {
  readonly unit: string;
  readonly previous: string | null;
  readonly reasons: readonly Exclusion[];
}

export interface GlobalPlacement {
  readonly unit: string;
  readonly machines: readonly string[];
}

/** `place(snapshot)`: every loaded or launched unit is in exactly one of the three lists, sorted by unit name. */
export interface PlacementResult {
  /** Every ordinary unit that has a machine afterwards, moved or not. */
  readonly placements: readonly Placement[];
  readonly global: readonly GlobalPlacement[];
  readonly refusals: readonly Refusal[];
}

/** In this order on one machine: stop, remove, install, reload, start. */
export type Action = 'stop' | 'remove' | 'install' | 'reload' | 'start';

export interface Step {
  readonly machine: string;
  readonly action: Action;
  /** Empty for `reload`, which is one for the whole machine. */
  readonly unit: string;
  readonly reason: string;
}

/** What one machine should have of one unit. */
export interface Assignment {
  readonly machine: string;
  readonly unit: string;
  readonly desired: 'loaded' | 'launched';
  /** Hash of the content that should be there. */
  readonly hash: string;
}

/** What one machine has of one unit that `cluster` installed (or of which the registry thinks so). */
export interface Observation {
  readonly machine: string;
  readonly unit: string;
  /** Hash in the machine's manifest; null = not installed by us. */
  readonly hash: string | null;
  /** systemd's ActiveState: active, reloading, inactive, failed, activating, deactivating. */
  readonly active: string;
  readonly sub: string;
  readonly load: string;
  /** Why it does not run, where the machine knows. */
  readonly why?: string;
  /** A condition of its file was not met when it was last started: another start would end like that one. */
  readonly unmet?: boolean;
  /** How often systemd has restarted it, where it runs and a person asks to start it. Absent = not known. */
  readonly restarts?: number;
  /** Whether it would start at boot (its link in cluster.target.wants). Absent = not known. */
  readonly boot?: boolean;
  /** A run changed its file and ended before systemd had read it and its [Install] links were made. */
  readonly unsettled?: boolean;
}
