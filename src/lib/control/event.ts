/**
 * What commands call and what they share: the session, events, reports. It must not format anything for a person.
 */
import type { Desired, Exclusion } from '../plan/model.ts';
import type { ItemState, RolloutKind, RolloutState } from '../rollout/index.ts';

export interface MachineName {
  readonly id: string;
  readonly address?: string;
}

export type Verb = 'load' | 'start' | 'stop' | 'unload' | 'restart';

/** A job of systemd that a command waits for. */
export interface PendingJob {
  readonly unit: string;
  readonly machine: MachineName;
  readonly job: 'start' | 'stop' | 'restart';
  readonly seconds: number;
}

/** What happened, as data; ui/ turns it into fleet's sentences. */
export type Event =
  | { readonly kind: 'problem'; readonly key: string; readonly message: string }
  | { readonly kind: 'created'; readonly unit: string }
  | {
      readonly kind: 'state';
      readonly unit: string;
      readonly state: 'launched' | 'loaded' | 'restarted';
      readonly machine: MachineName;
      readonly global: boolean;
    }
  /** Every second while jobs are waited for, and once with none when all have ended. */
  | { readonly kind: 'pending'; readonly jobs: readonly PendingJob[] }
  /** The end of a command that started or restarted more than one unit. */
  | {
      readonly kind: 'summary';
      readonly state: 'launched' | 'loaded' | 'restarted';
      readonly done: number;
      readonly failed: number;
      readonly machines: number;
      readonly seconds: number;
    }
  | {
      /** Wanted launched and not started: why. */
      readonly kind: 'held';
      readonly unit: string;
      readonly machine: MachineName;
      readonly why: string;
    }
  | {
      /** Not wanted running, and not stopped: why. */
      readonly kind: 'upheld';
      readonly unit: string;
      readonly machine: MachineName;
      readonly why: string;
    }
  | {
      /** Somebody else changed the unit while we carried out what we had recorded; null = destroyed. */
      readonly kind: 'overtaken';
      readonly unit: string;
      readonly desired: Desired | null;
    }
  | { readonly kind: 'leaving'; readonly unit: string; readonly machines: readonly MachineName[] }
  | {
      /** A unit runs elsewhere now, and no longer where it was. */
      readonly kind: 'moved';
      readonly unit: string;
      readonly from: MachineName;
      readonly to: MachineName;
      readonly reason: string;
    }
  | { readonly kind: 'inactive'; readonly unit: string }
  | {
      readonly kind: 'taking';
      readonly action: 'stop' | 'remove';
      readonly unit: string;
      readonly machine: MachineName;
      readonly reason: string;
    }
  | { readonly kind: 'unknown-units'; readonly machine: MachineName; readonly units: readonly string[] }
  | { readonly kind: 'destroyed'; readonly unit: string }
  | { readonly kind: 'triggered'; readonly unit: string; readonly verb: Verb; readonly global: boolean }
  | { readonly kind: 'same'; readonly unit: string }
  | { readonly kind: 'differs'; readonly unit: string; readonly path: string; readonly template: boolean }
  | { readonly kind: 'outdated'; readonly template: string; readonly units: readonly string[] }
  | { readonly kind: 'unreplaceable'; readonly unit: string; readonly desired: string }
  | {
      readonly kind: 'refused';
      readonly unit: string;
      readonly reasons: readonly Exclusion[];
      /** Nobody wants it any more; otherwise it is placed as soon as a machine fits. */
      readonly withdrawn: boolean;
    }
  | {
      readonly kind: 'failed';
      readonly unit: string;
      readonly machine: MachineName;
      readonly how: string;
      readonly journal: readonly string[];
      /** What to try, where it is not the unit's journal. */
      readonly hint?: string | undefined;
    }
  | {
      readonly kind: 'unreachable';
      readonly machine: MachineName;
      readonly message: string;
      readonly units: readonly string[];
      readonly hint?: string | undefined;
      /** The machine was only a candidate: what was to be placed there went elsewhere. */
      readonly passedOver: boolean;
    }
  /** A machine that is followed went away, and is tried until it is back. */
  | { readonly kind: 'away'; readonly machine: MachineName; readonly message: string }
  | { readonly kind: 'back'; readonly machine: MachineName; readonly seconds: number }
  | {
      readonly kind: 'machine-added';
      readonly machine: MachineName;
      readonly updated: boolean;
      readonly text: string;
    }
  | {
      readonly kind: 'machine-metadata';
      readonly machine: MachineName;
      readonly metadata: Readonly<Record<string, string>>;
    }
  | {
      /** A rollout came into another state. */
      readonly kind: 'rollout';
      readonly id: string;
      readonly change: RolloutKind;
      readonly state: RolloutState;
      readonly units: number;
      readonly healthy: number;
      readonly failed: number;
      readonly skipped: number;
      readonly reason?: string;
      /** Since this driver began. */
      readonly seconds: number;
    }
  | {
      /** A unit of a rollout came into another state. */
      readonly kind: 'rollout-unit';
      readonly id: string;
      readonly change: RolloutKind;
      readonly unit: string;
      readonly machine: MachineName | null;
      readonly state: ItemState;
      readonly batch: number;
      readonly why?: string;
      /** Last lines of a unit that failed. */
      readonly journal?: readonly string[];
      /** How long it was in the state before. */
      readonly seconds: number;
    }
  /** What a rollout waits for, again and again while it does; `seconds` is how long it has. */
  | {
      readonly kind: 'rollout-waiting';
      readonly id: string;
      readonly message: string;
      readonly seconds: number;
    }
  | { readonly kind: 'machine-removed'; readonly machine: MachineName }
  | {
      /** The machine takes no new units, as `operator` or a rollout wants it. */
      readonly kind: 'machine-cordoned';
      readonly machine: MachineName;
      readonly owner: string;
      readonly reason?: string;
      /** It was so already. */
      readonly already: boolean;
    }
  /** Of the operator's cordon and those of rollouts that have ended; others may keep the machine cordoned. */
  | { readonly kind: 'machine-uncordoned'; readonly machine: MachineName; readonly left: readonly string[] }
  /** None of our units is left there. */
  | { readonly kind: 'machine-drained'; readonly machine: MachineName; readonly already: boolean }
  | { readonly kind: 'warning'; readonly message: string }
  /** A command does nothing until something happens. */
  | { readonly kind: 'waiting'; readonly message: string };
