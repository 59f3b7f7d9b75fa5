import type { ClusterError } from '../error.ts';
import type { Report } from '../keep/reporter.ts';
import { LISTENER_DIRECTORY, type TrafficState } from '../traffic/index.ts';
import type { BreakerId, Notes, OpenKeyPair, ServedRequest } from './model.ts';
import type { Top } from './top.ts';

/** A proxy program that a gateway can drive. `chosen-proxy.ts` names the one that is used. */
export interface ProxyKind {
  /** As status and metrics show it: lower-case letters. */
  readonly name: string;
  /**
   * What a gateway leaves out of this state or serves differently, on a machine that has IPv6 and opens every key pair.
   * Pure. For such a machine `RunningProxy.serve` reports the same.
   */
  notes(state: TrafficState): Notes;
  /** @throws ClusterError `bad-address` for a `listen` that it cannot listen on. Nothing runs or is written yet. */
  open(options: ProxyOptions): RunningProxy;
}

/** What an operator sets about the proxy on one machine. */
export interface ProxyTuning {
  /** User that the processes run as which talk to clients; '' = that of the gateway, null = the proxy's own where it exists. */
  readonly user: string | null;
  /** Most bytes of a request's header, and most lines; a request with more is answered 431. */
  readonly maxHeaderBytes: number;
  readonly maxHeaders: number;
  /** How long connections may go on that a configuration from before holds, in milliseconds. */
  readonly drainMs: number;
  /** Most processes that only finish such connections. */
  readonly maxDraining: number;
  /** Directory of the sockets of listeners with `Network: unix`. */
  readonly listenerDirectory: string;
}

export const DEFAULT_TUNING: ProxyTuning = {
  user: null,
  maxHeaderBytes: 16_384,
  maxHeaders: 100,
  drainMs: 6 * 3_600_000,
  maxDraining: 10,
  listenerDirectory: LISTENER_DIRECTORY,
};

export interface ProxyOptions {
  /** Name or path of the program. */
  readonly program: string;
  /** For configuration, sockets and whatever the next process needs to take over. */
  readonly runDirectory: string;
  /** `HOST:PORT` or `:PORT`, where to listen while the registry has no listener. */
  readonly listen: string;
  readonly openKeyPair: OpenKeyPair;
  /** DEFAULT_TUNING where absent. */
  readonly tuning?: ProxyTuning;
  readonly logger: Report;
  /** Called for each answered request of a frontend that has a breaker or a trace. */
  readonly onRequest: (request: ServedRequest) => void;
}

/**
 * One running proxy on this machine. It outlives the process that drives it, is started again when it dies, and goes
 * on serving what it served whenever something new is refused.
 */
export interface RunningProxy {
  readonly kind: ProxyKind;
  /** Makes the run directory. @throws ClusterError `bad-run-directory`. */
  prepare(): Promise<void>;
  /**
   * Takes over a proxy that an earlier process left running. @returns whether there was one.
   * @throws ClusterError where there was none and the program cannot be run either.
   */
  adopt(): Promise<boolean>;
  /**
   * Serves this state, with these breakers open (their frontends get the fallback). One call at a time. Never throws:
   * what was served before is still served after a refusal.
   */
  serve(state: TrafficState, open: readonly BreakerId[]): Promise<Served>;
  /** Whether it would serve this state; changes nothing. @returns null, or why not. */
  check(state: TrafficState): Promise<string | null>;
  /** Statistics by the ids of this state. @throws where it does not answer. */
  top(state: TrafficState | null): Promise<Top>;
  status(): ProxyStatus;
  /** Stops driving it; it goes on serving, ready to be adopted. */
  leave(): Promise<void>;
  /** No new connections from now on; it ends with its last one. */
  stop(): Promise<void>;
  /** `leave`, then `stop` after some seconds, outliving this process, unless the file `unless` exists by then. */
  stopLater(unless: string): Promise<void>;
}

export type Served =
  | {
      readonly kind: 'applied';
      /** For a person: `reloaded`, `no change`. */
      readonly how: string;
      readonly notes: Notes;
    }
  | Refusal;

export interface Refusal {
  readonly kind: 'refused';
  /**
   * Paths of the state (as in `TrafficState.stored`) that are the reason; empty where the state is not the reason (the
   * disk is full); null where the proxy cannot tell, so that `check` of other states has to find out.
   */
  readonly paths: readonly string[] | null;
  readonly why: ClusterError | Error;
  /** Nothing can be served at all, whatever the registry has. */
  readonly isFatal: boolean;
}

/** The proxy's process. */
export interface ProxyStatus {
  readonly name: string;
  readonly pid: number | null;
  readonly version: string | null;
  /** ISO 8601, since when this process is known. */
  readonly since: string | null;
  /** How often it loaded a whole new configuration. */
  readonly reloads: number;
  /** Single changes that it took without that. */
  readonly runtimeChanges: number;
  /** Processes that only finish connections from before a reload; those of earlier releases do not say. */
  readonly draining?: readonly { readonly pid: number; readonly since: string }[];
}
