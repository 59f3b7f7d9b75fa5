/** How to reach a machine, as the registry stores it. */
export interface MachineTarget {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** Extra private key file for this machine (the lab's throw-away key). */
  readonly identity?: string;
  /** known_hosts file to use instead of the user's. */
  readonly knownHosts?: string;
  /** Host keys that an operator accepted and shared (`type base64`); a known_hosts file that contradicts them wins. */
  readonly hostKeys?: readonly string[];
}

/** A host key that no known_hosts file knows, as it is shown to a person. */
export interface UnknownHostKey {
  readonly address: string;
  /** Such as `ssh-ed25519`. */
  readonly type: string;
  /** OpenSSH's `SHA256:...`. */
  readonly fingerprint: string;
}

/** Session-wide SSH choices, from flags, environment and configuration. */
export interface SshOptions {
  readonly timeoutMs: number;
  readonly strictHostKeyChecking: 'yes' | 'accept-new';
  readonly identity?: string;
  readonly knownHosts?: string;
  /** Path of the OpenSSH client configuration; null = none. */
  readonly config?: string | null;
  /** How connections are made; `auto` (the default) takes OpenSSH's client where the configuration needs it. */
  readonly transport?: 'auto' | 'ssh2' | 'openssh';
  /** `timeoutMs` was asked for, so that ConnectTimeout of the client's configuration does not apply. */
  readonly timeoutChosen?: boolean;
  /** How long a machine may be silent on an open connection before it counts as gone; default 10 s. */
  readonly goneAfterMs?: number;
  /** `goneAfterMs` was asked for, so that ServerAlive... of the client's configuration does not apply. */
  readonly goneAfterChosen?: boolean;
  /** Asks for a passphrase on a terminal; absent = no terminal. */
  readonly askPassphrase?: (keyFile: string) => Promise<string>;
  /** Shows an unknown host key on a terminal and asks whether to trust it; absent = nobody is asked. */
  readonly askHostKey?: (key: UnknownHostKey) => Promise<boolean>;
}

/** Facts read at `machine add`; what it has (memory, CPUs) is read again by commands that place units by it. */
export interface MachineFacts {
  readonly machineId: string;
  readonly bootId: string;
  readonly hostname: string;
  readonly os: string;
  readonly systemd: number;
  readonly kernel: string;
  readonly architecture: string;
  readonly sudo: 'root' | 'sudo' | 'denied';
  /** Bytes of memory in all. Absent = not known, as in records of older releases. */
  readonly memory?: number;
  /** CPUs that are online. Absent = not known. */
  readonly cpus?: number;
}

/** Facts that may change while a machine is up, so that they are read when needed. */
export interface MachineDetails extends MachineFacts {
  /** Fields of os-release(5). */
  readonly osRelease: Readonly<Record<string, string>>;
  /** From machine-info(5). */
  readonly prettyHostname?: string;
}

/** The state of a unit in systemd's words. */
export interface UnitStatus {
  readonly unit: string;
  /** systemd LoadState: loaded, not-found, bad-setting, error, masked. */
  readonly load: string;
  readonly active: string;
  readonly sub: string;
  /** Why it does not run, in words; only where that was asked for and systemd knows. */
  readonly why?: string;
  /** Its last start was passed over, since a Condition...= of its file was not met. */
  readonly unmet?: true;
}

/** Of which cluster a machine is, and which change of its registry was carried out here last. */
export interface MachineOwner {
  /** The cluster's id. */
  readonly cluster: string;
  /** The registry's own count of changes. */
  readonly generation: number;
  /** Tells two histories of one registry apart, at that generation. */
  readonly mark: string;
}

/**
 * Written with a change. `set`: refused for a machine of another cluster; of two generations the later one stays.
 * `take`: whatever the machine carries. `leave`: the machine belongs to no cluster afterwards.
 */
export type OwnerChange = { readonly how: 'set' | 'take' | 'leave' } & MachineOwner;

/** What cluster left on a machine. */
export interface Manifest {
  /** null: of no cluster. */
  readonly owner: MachineOwner | null;
  readonly units: readonly ManifestEntry[];
}

/** Since when a unit is in its state, and how often systemd restarted it by itself. */
export interface UnitAge {
  readonly unit: string;
  /** Milliseconds since 1970, by the machine's clock; null where systemd does not know. */
  readonly since: number | null;
  /** Null for what is no service. */
  readonly restarts: number | null;
}

export interface ManifestEntry {
  readonly unit: string;
  /** null: it is ours no more, and systemd may not know it yet. */
  readonly hash: string | null;
  /** It starts at boot. */
  readonly boot?: boolean;
  /** Tickets of changes of its file after which nobody called `settle`. */
  readonly unsettled?: readonly string[];
}

/** How a unit's start or stop job ended. */
export interface JobOutcome {
  readonly unit: string;
  /** systemd's job result: done, failed, canceled, timeout, dependency, skipped, assert, unsupported. */
  readonly result: string;
  readonly status: UnitStatus;
  /** Only when it failed. */
  readonly failure?: {
    /** Result= of the service, such as exit-code, signal, timeout. */
    readonly result: string;
    /** In words: `exit status 3`, `signal SIGKILL`. */
    readonly how: string;
    /** Last journal lines of that invocation, oldest first. */
    readonly journal: readonly string[];
    /** What to try, where it is not the unit's journal. */
    readonly hint?: string;
  };
}

/** How starts and restarts are waited for. */
export interface JobWaiting {
  /**
   * How long a service that cannot report that it is ready (Type=simple, exec, idle) must stay up after systemd has
   * started it. Default 0: only a program that ends at once is noticed.
   */
  readonly minHealthyMs?: number;
  /** Hears how each job ended as soon as that is known. */
  readonly onOutcome?: (outcome: JobOutcome) => void;
}

/** What `systemctl status` says of a unit. */
export interface UnitReport {
  readonly unit: string;
  /** systemctl's exit code for this unit alone: 0 active, 3 not active, 4 not known. */
  readonly code: number;
  readonly text: string;
}

/** A line of a unit's journal. */
export interface JournalEntry {
  readonly unit: string;
  readonly text: string;
  /** Microseconds since 1970, by the machine's clock. */
  readonly time: number;
  /** The entry as `journalctl --output json` prints it; only where that was asked for. */
  readonly json?: string;
}

/** Which entries of a journal are wanted, besides the units. Texts are as journalctl takes them. */
export interface JournalChoice {
  /** The last lines of each unit. */
  readonly lines: number | 'all';
  /** Not older than this, by the machine's clock and time zone. */
  readonly since?: string | undefined;
  /** Of this priority and above, such as `warning`, or a range. */
  readonly priority?: string | undefined;
}

export interface JournalQuery extends JournalChoice {
  readonly units: readonly string[];
  /** Whether entries are wanted with their JSON. */
  readonly json?: boolean;
}

/** Stands in a followed journal between the last lines and those that are written. */
export type CaughtUp = 'caught-up';

/** What changed since the last look. A unit is named once, with its newest state. */
export interface UnitChanges {
  /** The first of a watch: `states` is the state of every watched unit. */
  readonly initial: boolean;
  readonly states: readonly UnitStatus[];
  /** How the last job of each of these units ended; `result` as in JobOutcome. */
  readonly jobs: readonly { readonly unit: string; readonly result: string }[];
  /** systemd has read its unit files again. */
  readonly reloaded: boolean;
}

export interface WatchOptions {
  /** Only these units; absent = all that systemd has in memory. */
  readonly units?: readonly string[];
  readonly signal?: AbortSignal;
}

export interface InstallFile {
  readonly unit: string;
  readonly hash: string;
  readonly text: string;
  /** Wanted by cluster.target, so started at boot. */
  readonly launched: boolean;
}

/** A name that the [Install] section of a unit takes or enables besides the unit's own. */
export interface Claim {
  readonly unit: string;
  readonly key: 'Alias' | 'Also';
  readonly name: string;
}

/**
 * One atomic change of our files on a machine. Refused as a whole when a unit to be written or a name that is claimed
 * is that of a unit which is not ours, or when the machine is another cluster's.
 */
export interface FileChange {
  readonly install: readonly InstallFile[];
  /** What these units will claim when they are enabled. */
  readonly claims?: readonly Claim[];
  readonly remove: readonly string[];
  /** Absent = the machine stays whose it is. */
  readonly owner?: OwnerChange;
  /** Hexadecimal; the manifest shows the units of this change as unsettled until `settle` is called with it. */
  readonly ticket?: string;
}

export interface ExecResult {
  readonly code: number;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * The conversation with one machine over one SSH connection. Every failure is a ClusterError with `machine` set:
 * machine-unreachable, machine-auth, host-key-unknown, host-key-changed, sudo-refused (exit 4), unit-foreign, disk-full.
 */
export interface Machine {
  readonly target: MachineTarget;
  facts(): Promise<MachineFacts>;
  /** The facts and what else unit files can refer to by specifiers. */
  details(): Promise<MachineDetails>;
  /**
   * States of these units; a name that systemd does not know comes back with load `not-found`. `reasons`: also why
   * units do not run, for two more round trips where there are such units, however many.
   */
  statuses(units: readonly string[], reasons?: boolean): Promise<UnitStatus[]>;
  /** Ages of these units, in this order; asked together, in one round trip. */
  ages(units: readonly string[]): Promise<UnitAge[]>;
  /** Whose the machine is, and what cluster installed here (/etc/cluster/). */
  manifest(): Promise<Manifest>;
  apply(change: FileChange): Promise<void>;
  /** Says that systemd has read these changes and that all that goes with them is done. */
  settle(tickets: readonly string[]): Promise<void>;
  reload(): Promise<void>;
  /** `block: false` queues the jobs and returns at once with result `queued`. */
  start(units: readonly string[], block: boolean, waiting?: JobWaiting): Promise<JobOutcome[]>;
  stop(units: readonly string[], block: boolean, waiting?: JobWaiting): Promise<JobOutcome[]>;
  restart(units: readonly string[], block: boolean, waiting?: JobWaiting): Promise<JobOutcome[]>;
  /** Makes systemd forget that removed units once failed. */
  forget(units: readonly string[]): Promise<void>;
  /** Honours [Install]: EnableUnitFiles for units that have such a section. */
  enable(units: readonly string[]): Promise<void>;
  /** `systemctl status` of each unit, in this order. */
  status(units: readonly string[]): Promise<UnitReport[]>;
  /** The last lines of each unit, unit by unit. @throws `journal-failed`. */
  journal(query: JournalQuery): Promise<JournalEntry[]>;
  /** The last lines of each unit, then those that are written; ends by `signal` only. @throws `interrupted`. */
  followJournal(query: JournalQuery, signal: AbortSignal): AsyncIterable<JournalEntry | CaughtUp>;
  /** The journal of one unit as journalctl prints it in this output mode. @throws `journal-failed`. */
  journalText(unit: string, options: JournalChoice & { readonly output: string }): Promise<string>;
  /** What `systemd-analyze verify` says about this text of a unit file, line by line; its paths are left out. */
  analyze(unit: string, text: string): Promise<string[]>;
  /**
   * The states of units now, then what changes, by systemd's own signals. Changes that come faster than they are read
   * are merged. Ends when `signal` is aborted. @throws `machine-unreachable` when the connection is lost.
   */
  watch(options?: WatchOptions): AsyncIterable<UnitChanges>;
  /**
   * argv, never a shell string: quoted for the remote shell here and only here. `sudo` adds `sudo -n` when needed. A
   * stream on stdin is read only as fast as the command takes it, and is destroyed when the command ends first.
   */
  exec(
    argv: readonly string[],
    options?: {
      stdin?: string | Uint8Array | import('node:stream').Readable;
      sudo?: boolean;
      signal?: AbortSignal;
      onStdout?: (chunk: Buffer) => void;
    },
  ): Promise<ExecResult>;
  /**
   * A command line for the login shell there (as `ssh` passes it), or the shell itself, on a terminal (pty, resize) or
   * with plain pipes; resolves to the exit code.
   */
  interactive(
    command: string | null,
    streams: {
      stdin: NodeJS.ReadStream;
      stdout: NodeJS.WriteStream;
      stderr: NodeJS.WriteStream;
      forwardAgent?: boolean;
    },
  ): Promise<number>;
  /** A TCP or Unix-socket stream opened from the machine (etcd tunnel, docker.sock). */
  forward(to: { host: string; port: number } | { path: string }): Promise<import('node:stream').Duplex>;
  close(): void;
}
