import type { FileUser } from './file.ts';

/** Where a value came from, as a person would look for it: `--flag`, `CLUSTER_X`, a file path, or `default`. */
export type Source = string;

/** How etcd is reached. Paths are absolute and not yet read. */
export interface EtcdConfig {
  readonly endpoints: readonly string[];
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly user?: string;
  readonly password?: string;
  /** Machine through whose SSH connection the endpoints are reached. */
  readonly tunnel?: string;
  readonly timeoutMs: number;
  readonly prefix: string;
}

/** How machines are reached. Paths are absolute. */
export interface SshConfig {
  readonly user: string;
  readonly identity?: string;
  readonly knownHosts?: string;
  readonly strictHostKeyChecking: 'yes' | 'accept-new';
  /** By ssh2 in this process, by the system's OpenSSH client, or as the client's configuration needs it. */
  readonly transport: 'auto' | 'ssh2' | 'openssh';
  readonly timeoutMs: number;
  /** How long a machine may be silent on an open connection before it counts as gone. */
  readonly goneAfterMs: number;
  /** How long an unused connection is held for later commands; 0 = not beyond the command. */
  readonly persistMs: number;
  /** The ssh_config file; it need not exist. */
  readonly config: string;
  /** How many machines are talked to at once. */
  readonly parallel: number;
}

export interface Config {
  /** Directory of the embedded store. */
  readonly dataDir: string;
  /** null: no endpoint is configured, the embedded store is used. */
  readonly etcd: EtcdConfig | null;
  /** Key prefix, for either driver; no slash at its end. */
  readonly prefix: string;
  /** Prefix of frontends, backends and servers. */
  readonly trafficPrefix: string;
  readonly ssh: SshConfig;
  /** How long a started service that cannot report readiness must stay up; 0 = it is not watched. */
  readonly minHealthyMs: number;
  /** Where each key's value came from, by its name in the file (`etcd.timeout`). Keys left alone are absent. */
  readonly sources: Readonly<Record<string, Source>>;
  /** One line each: a file of the current directory that is used, credentials that are not. */
  readonly notices: readonly string[];
}

/** Values of the global flags, as typed. A flag that was not given is absent or undefined. */
export interface ConfigFlags {
  readonly dataDir?: string | undefined;
  /** Comma-separated. */
  readonly endpoint?: string | undefined;
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly etcdUser?: string | undefined;
  readonly etcdPassword?: string | undefined;
  readonly tunnel?: string | undefined;
  readonly requestTimeout?: string | undefined;
  readonly keyPrefix?: string | undefined;
  readonly trafficKeyPrefix?: string | undefined;
  readonly sshUsername?: string | undefined;
  readonly sshIdentity?: string | undefined;
  readonly knownHostsFile?: string | undefined;
  readonly strictHostKeyChecking?: string | undefined;
  readonly sshTimeout?: string | undefined;
  readonly sshTransport?: string | undefined;
  readonly goneAfter?: string | undefined;
  readonly minHealthy?: string | undefined;
  readonly sshPersist?: string | undefined;
  readonly sshConfig?: string | undefined;
  readonly sshParallel?: string | undefined;
}

export interface ConfigInput {
  readonly flags: ConfigFlags;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where `cluster.yaml` is looked for, and what relative paths in flags and environment are relative to. */
  readonly cwd: string;
  readonly home: string;
  /** Who runs this; given: a `cluster.yaml` that somebody else could have written is refused. */
  readonly user?: FileUser;
}
