import type { Desired } from '../plan/model.ts';
import type { LockNeed, LocksSeen } from './locks.ts';
import type { Window } from './window.ts';

/** What a rollout does to each of its items. */
export type RolloutKind = 'file' | 'restart' | 'drain' | 'reboot' | 'update';

/** `halted`, `done`, `rolled-back` and `aborted` need no driver; a halted one can go on or go back. */
export type RolloutState =
  | 'planned'
  | 'checking'
  | 'running'
  | 'paused'
  | 'halted'
  | 'done'
  | 'rolling-back'
  | 'rolled-back'
  | 'aborted';

/** `acting`: its step was begun. `returning`: its step has ended and its health is watched. */
export type ItemState = 'waiting' | 'acting' | 'returning' | 'healthy' | 'failed' | 'skipped';

/** A file and how far it is wanted. */
export interface Version {
  readonly hash: string;
  readonly desired: Desired;
}

/** One unit, or one unit on one machine, that a rollout changes. */
export interface RolloutItem {
  readonly unit: string;
  /**
   * Machine id where the item is a unit on this machine only; null = wherever the unit is placed. Of a drain the machine
   * that the unit leaves.
   */
  readonly machine: string | null;
  /** What was wanted before the rollout; null = the unit was not known. */
  readonly from: Version | null;
  readonly to: Version;
  readonly state: ItemState;
  /** Why it failed or was skipped. */
  readonly why?: string;
  /** It was healthy when the rollout began. Absent = not looked at yet. */
  readonly wasHealthy?: boolean;
  /** Servers were announced for it before the rollout, so that they have to be again. Absent = not looked at yet. */
  readonly announced?: boolean;
  /** Only restarts and machines: the run of the unit (the boot of the machine) that the rollout ends, as `Seen.run`. */
  readonly run?: string;
  /** It failed and is tried again: what runs is started anew even where its file is right. */
  readonly again?: true;
  /** Only drains: a global unit, which is on the other machines already; it stays until all others are gone. */
  readonly global?: true;
  /** Only drains: where no machine can have it, it is stopped and waits for one. */
  readonly mayStop?: true;
  /** Only machines: groups are changed one after another, and each is a lock. Absent = `machines`. */
  readonly group?: string;
  /** Only machines: what was well there when its turn came, and has to be well again afterwards. */
  readonly well?: readonly string[];
  /** Only updates: packages that were changed. */
  readonly packages?: readonly PackageChange[];
  /** Only updates: why the machine still needs a reboot. Absent = it needs none, or was not asked. */
  readonly rebootNeeded?: string;
}

/** A package of which the version changed; null = it was not, or is not, installed. */
export interface PackageChange {
  readonly name: string;
  readonly from: string | null;
  readonly to: string | null;
}

/** What a step found out that is to be kept with its item. */
export interface StepResult {
  readonly packages?: readonly PackageChange[];
  readonly rebootNeeded?: string;
}

/** How many items may be unavailable at the same time: a number, or a share of all items in percent. */
export type Limit = { readonly count: number } | { readonly percent: number };

export interface Budget {
  readonly maxUnavailable: Limit;
  /** So many items go first; 0 = none. */
  readonly canary: number;
  /** Pause when these are healthy. */
  readonly pause: boolean;
  /** How long an item has to be healthy without a break. */
  readonly minHealthyMs: number;
  /** How long an item may take from its step to the beginning of its health. */
  readonly deadlineMs: number;
  /** More failed items than this halt the rollout. */
  readonly maxFailures: number;
  readonly autoRollback: boolean;
  /** How long requests to the servers of a unit may take to end before it stops. Absent = `DRAIN_MS`. */
  readonly drainMs?: number;
}

/** How long requests may take to end where nothing else was said, in milliseconds. */
export const DRAIN_MS = 10_000;

export interface Rollout {
  readonly v: 1;
  readonly id: string;
  readonly kind: RolloutKind;
  readonly state: RolloutState;
  /** It goes back to what was before. */
  readonly back: boolean;
  /** Why it is halted, paused, aborted or goes back. */
  readonly reason?: string;
  readonly budget: Budget;
  /** Nothing new is begun outside of these; absent or empty = at any time. */
  readonly windows?: readonly Window[];
  /** Only updates: a machine that needs a reboot afterwards gets it. */
  readonly rebootIfNeeded?: true;
  /** In the order in which they are changed. */
  readonly items: readonly RolloutItem[];
  /** How many batches were begun in this direction. */
  readonly batch: number;
  /** Somebody looked at the canary and let the rollout go on. */
  readonly canaryPassed: boolean;
  /** `user@computer`. */
  readonly who: string;
  /** ISO 8601, by the clock of the computer that began it: for people only, nothing is decided by it. */
  readonly began: string;
}

/** `starting`: not well yet, and may become so. `sick`: will not become well. `unknown`: the machine is silent. */
export interface Health {
  readonly verdict: 'good' | 'starting' | 'sick' | 'unknown';
  readonly why: string;
}

/**
 * What the driver knows of one item. Times are the driver's own, in milliseconds, on a clock that is never set; a driver
 * that takes over begins to measure anew.
 */
export interface Seen {
  /** What the registry wants of the unit there; null = the unit is not known. */
  readonly wanted: Version | null;
  readonly health: Health;
  /** Only drains: the unit has left the machine: inactive there, its control group empty, its file gone. */
  readonly gone?: boolean;
  /** Changes whenever the unit is started, or the machine booted; undefined = it does not run, or is not known. */
  readonly run?: string | undefined;
  /** Servers are announced for it. */
  readonly announced: boolean;
  /** The step of this item is under way. The driver gives no step more time than the deadline. */
  readonly busy: boolean;
  /** This driver's step of the item has ended well. */
  readonly ended: boolean;
  /** How this driver's step of the item failed. */
  readonly failure?: string | undefined;
  /** What this driver's step of the item found out, well ended or not. */
  readonly result?: StepResult | undefined;
  /** Only machines: what is well there. */
  readonly well?: readonly string[] | undefined;
  /** Only machines: locks of which it needs a slot while it is changed. */
  readonly locks?: readonly LockNeed[] | undefined;
  /** When this driver first saw the item in its present state. */
  readonly since: number;
  /** Since when its health is good; null = it is not. */
  readonly goodSince: number | null;
  /** Since when its health is not good; null = it is. */
  readonly badSince: number | null;
}

export interface RolloutObservation {
  /** By position in `Rollout.items`. */
  readonly items: readonly Seen[];
  /** Units of the same group that the rollout does not change, and that should run and do not. */
  readonly othersDown: readonly string[];
  /** Since when nothing is under way; null = something is. */
  readonly idleSince: number | null;
  /** What the cluster cannot do without; absent = nothing of it is concerned. */
  readonly guards?: readonly Guard[];
  /** The locks that are recorded, by name. */
  readonly locks?: LocksSeen;
  /** Milliseconds since 1970 by the driver's clock, for windows; absent = they do not count. */
  readonly clock?: number;
}

/** Something of which the cluster needs so many, such as etcd's members. */
export interface Guard {
  /** In the plural: `etcd members`. */
  readonly what: string;
  /** How many have to be left. */
  readonly least: number;
  readonly all: number;
  /** Positions of the items that have one that is up. */
  readonly up: readonly number[];
  /** How many are up on machines that are no items. */
  readonly upElsewhere: number;
}

/** Something to do for one item. All of them may be done twice. */
export interface RolloutStep {
  /** Position in `Rollout.items`. */
  readonly item: number;
  readonly unit: string;
  readonly machine: string | null;
  /**
   * `switch`: record this version and bring it there; `remove`: the unit is to be unknown again; `move`: it is to leave
   * its machine, once it is healthy elsewhere; `reboot` and `update` concern the machine itself.
   */
  readonly action: 'switch' | 'remove' | 'restart' | 'move' | 'reboot' | 'update';
  /** What to record; null only for `remove`. */
  readonly version: Version | null;
  /** Start it anew where it runs with the right file already. */
  readonly again: boolean;
}

export interface Next {
  /** What to record before the steps; the same object where nothing changed. */
  readonly rollout: Rollout;
  /** The rollout as it was when it turned around by itself, with what failed; never recorded. */
  readonly failed?: Rollout;
  readonly steps: readonly RolloutStep[];
  /** What is waited for, or why nothing more is done: one line each. */
  readonly why: readonly string[];
  /** When to look again even if nothing happens. null = only when something happens. */
  readonly wakeAt: number | null;
  /** There is nothing left for a driver to do. */
  readonly over: boolean;
}
