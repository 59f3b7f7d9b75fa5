import type { Exclusion } from '../plan/model.ts';

export interface MachineName {
  readonly id: string;
  readonly address?: string;
}

export type Verb = 'load' | 'start' | 'stop' | 'unload' | 'restart';

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
  | { readonly kind: 'refused'; readonly unit: string; readonly reasons: readonly Exclusion[] }
  | {
      readonly kind: 'failed';
      readonly unit: string;
      readonly machine: MachineName;
      readonly how: string;
      readonly journal: readonly string[];
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
  | { readonly kind: 'machine-removed'; readonly machine: MachineName }
  | { readonly kind: 'warning'; readonly message: string };
