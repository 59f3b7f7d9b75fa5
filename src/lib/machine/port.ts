/** How to reach a machine; what the registry stores of it. */
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
  /** Asks for a passphrase on a terminal; absent = no terminal. */
  readonly askPassphrase?: (keyFile: string) => Promise<string>;
  /** Shows an unknown host key on a terminal and asks whether to trust it; absent = nobody is asked. */
  readonly askHostKey?: (key: UnknownHostKey) => Promise<boolean>;
}

/** Facts read once at `machine add`. */
export interface MachineFacts {
  readonly machineId: string;
  readonly bootId: string;
  readonly hostname: string;
  readonly os: string;
  readonly systemd: number;
  readonly kernel: string;
  readonly architecture: string;
  readonly sudo: 'root' | 'sudo' | 'denied';
}

export interface UnitStatus {
  readonly unit: string;
  /** systemd LoadState: loaded, not-found, bad-setting, error, masked. */
  readonly load: string;
  readonly active: string;
  readonly sub: string;
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
    /** A person's words: `exit status 3`, `signal SIGKILL`. */
    readonly how: string;
    /** Last journal lines of that invocation, oldest first. */
    readonly journal: readonly string[];
  };
}

export interface InstallFile {
  readonly unit: string;
  readonly hash: string;
  readonly text: string;
  /** Wanted by cluster.target, so started at boot. */
  readonly launched: boolean;
}

/** One atomic change of what we own on a machine. Refused whole when a file to be written is not ours. */
export interface FileChange {
  readonly install: readonly InstallFile[];
  readonly remove: readonly string[];
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
  /** States of these units; a name that systemd does not know comes back with load `not-found`. */
  statuses(units: readonly string[]): Promise<UnitStatus[]>;
  /** What cluster installed here (/etc/cluster/units/). */
  manifest(): Promise<ManifestEntry[]>;
  apply(change: FileChange): Promise<void>;
  /** Says that systemd has read these changes and that all that goes with them is done. */
  settle(tickets: readonly string[]): Promise<void>;
  reload(): Promise<void>;
  /** `block: false` queues the jobs and returns at once with result `queued`. */
  start(units: readonly string[], block: boolean): Promise<JobOutcome[]>;
  stop(units: readonly string[], block: boolean): Promise<JobOutcome[]>;
  restart(units: readonly string[], block: boolean): Promise<JobOutcome[]>;
  /** Makes systemd forget that removed units once failed. */
  forget(units: readonly string[]): Promise<void>;
  /** Honours [Install]: EnableUnitFiles for units that have such a section. */
  enable(units: readonly string[]): Promise<void>;
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
