import { dirname, isAbsolute, join, resolve } from 'node:path';
import { ClusterError } from '../error.ts';
import { type Found, readFileValues } from './file.ts';
import { durationMs, type Kind, problemWith } from './kind.ts';
import type { Config, ConfigFlags, ConfigInput, EtcdConfig, SshConfig } from './model.ts';
import { type Placed, withholdForeignCredentials } from './trust.ts';

interface Setting {
  readonly flag: keyof ConfigFlags;
  readonly env: string;
  readonly kind?: Kind;
  readonly path?: true;
}

const DURATION: Kind = { type: 'duration' };

/** Every key of the file with its flag and variable. A test holds this list and the example file together. */
export const SETTINGS: Readonly<Record<string, Setting>> = {
  'data-dir': { flag: 'dataDir', env: 'CLUSTER_DATA_DIR', path: true },
  'min-healthy': { flag: 'minHealthy', env: 'CLUSTER_MIN_HEALTHY', kind: { type: 'duration-or-none' } },
  'etcd.endpoints': { flag: 'endpoint', env: 'CLUSTER_ENDPOINT', kind: { type: 'list' } },
  'etcd.ca': { flag: 'caFile', env: 'CLUSTER_CA_FILE', path: true },
  'etcd.cert': { flag: 'certFile', env: 'CLUSTER_CERT_FILE', path: true },
  'etcd.key': { flag: 'keyFile', env: 'CLUSTER_KEY_FILE', path: true },
  'etcd.user': { flag: 'etcdUser', env: 'CLUSTER_ETCD_USER' },
  'etcd.password': { flag: 'etcdPassword', env: 'CLUSTER_ETCD_PASSWORD' },
  'etcd.tunnel': { flag: 'tunnel', env: 'CLUSTER_TUNNEL' },
  'etcd.timeout': { flag: 'requestTimeout', env: 'CLUSTER_REQUEST_TIMEOUT', kind: DURATION },
  'etcd.prefix': { flag: 'keyPrefix', env: 'CLUSTER_KEY_PREFIX' },
  'etcd.traffic-prefix': { flag: 'trafficKeyPrefix', env: 'CLUSTER_TRAFFIC_PREFIX' },
  'ssh.user': { flag: 'sshUsername', env: 'CLUSTER_SSH_USERNAME' },
  'ssh.identity': { flag: 'sshIdentity', env: 'CLUSTER_SSH_IDENTITY', path: true },
  'ssh.known-hosts': { flag: 'knownHostsFile', env: 'CLUSTER_KNOWN_HOSTS_FILE', path: true },
  'ssh.strict-host-key-checking': {
    flag: 'strictHostKeyChecking',
    env: 'CLUSTER_STRICT_HOST_KEY_CHECKING',
    kind: { type: 'choice', choices: ['yes', 'accept-new'] },
  },
  'ssh.transport': {
    flag: 'sshTransport',
    env: 'CLUSTER_SSH_TRANSPORT',
    kind: { type: 'choice', choices: ['auto', 'ssh2', 'openssh'] },
  },
  'ssh.timeout': { flag: 'sshTimeout', env: 'CLUSTER_SSH_TIMEOUT', kind: DURATION },
  'ssh.gone-after': { flag: 'goneAfter', env: 'CLUSTER_GONE_AFTER', kind: DURATION },
  'ssh.persist': { flag: 'sshPersist', env: 'CLUSTER_SSH_PERSIST', kind: { type: 'duration-or-none' } },
  'ssh.config': { flag: 'sshConfig', env: 'CLUSTER_SSH_CONFIG', path: true },
  'ssh.parallel': { flag: 'sshParallel', env: 'CLUSTER_SSH_PARALLEL', kind: { type: 'number' } },
};

/**
 * Flags win over the environment, the environment over ./cluster.yaml, that over the user's own file, and those over
 * the defaults.
 * @throws ClusterError `config-invalid` that names the file and line, the flag or the variable that is wrong.
 */
export async function loadConfig(input: ConfigInput): Promise<Config> {
  const { env, cwd, home } = input;
  const userDirectory = absoluteOr(env.XDG_CONFIG_HOME, join(home, '.config'));
  const files = await Promise.all([
    readFileValues(join(cwd, 'cluster.yaml'), input.user),
    readFileValues(join(userDirectory, 'cluster', 'config.yaml')),
  ]);
  const values = new Map<string, Placed>();
  for (const [key, setting] of Object.entries(SETTINGS)) {
    const value = pick(key, setting, input, files);
    if (value !== undefined) values.set(key, value);
  }
  const [directory] = files;
  const used = directory !== undefined && directory.size > 0;
  const notices = [
    ...(used ? [`settings of ${join(cwd, 'cluster.yaml')} are used`] : []),
    ...withholdForeignCredentials(values),
  ];
  const text = (key: string): string | undefined => values.get(key)?.text;
  const prefix = keyPrefix(values.get('etcd.prefix'), 'etcd.prefix', '/cluster');
  const trafficPrefix = keyPrefix(values.get('etcd.traffic-prefix'), 'etcd.traffic-prefix', '/vulcand');
  return {
    dataDir:
      text('data-dir') ?? join(absoluteOr(env.XDG_DATA_HOME, join(home, '.local', 'share')), 'cluster'),
    etcd: etcdConfig(values, prefix),
    prefix,
    trafficPrefix,
    ssh: sshConfig(text, home),
    minHealthyMs: durationMs(text('min-healthy') ?? '1s') ?? 0,
    sources: Object.fromEntries([...values].map(([key, value]) => [key, value.source])),
    notices,
  };
}

function pick(
  key: string,
  { flag, env, kind, path }: Setting,
  { flags, env: environment, cwd, home }: ConfigInput,
  files: readonly (ReadonlyMap<string, Found> | undefined)[],
): Placed | undefined {
  const option = `--${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const typed: [string | undefined, string][] = [
    [flags[flag], option],
    [environment[env] || undefined, env],
  ];
  for (const [text, source] of typed) {
    if (text === undefined) continue;
    const problem = text === '' ? 'expected a value' : kind && problemWith(kind, text);
    if (problem) throw new ClusterError('config-invalid', `${source} is '${text}'`, { hint: problem, key });
    return { text: path ? absolutePath(text, cwd, home) : text, source, origin: 'typed' };
  }
  for (const file of files) {
    const found = file?.get(key);
    if (found === undefined) continue;
    const text = path ? absolutePath(found.value, dirname(found.file), home) : found.value;
    return { text, source: `${found.file}:${found.line}`, origin: { file: found.file } };
  }
  return undefined;
}

function etcdConfig(values: ReadonlyMap<string, Placed>, prefix: string): EtcdConfig | null {
  const text = (key: string): string | undefined => values.get(key)?.text;
  const optional = <Name extends string>(name: Name): Partial<Record<Name, string>> => {
    const value = text(`etcd.${name}`);
    return (value === undefined ? {} : { [name]: value }) as Partial<Record<Name, string>>;
  };
  const tunnel = text('etcd.tunnel');
  const given = values.get('etcd.endpoints');
  const endpoints = (given?.text ?? '').split(',').flatMap((part) => part.trim() || []);
  if (endpoints.length === 0 && tunnel !== undefined) endpoints.push('http://127.0.0.1:2379');
  if (endpoints.length === 0) return null;
  for (const endpoint of endpoints) {
    if (/^(https?:\/\/)?(\[[0-9a-f:.]+\]|[\w.-]+):\d{1,5}\/?$/i.test(endpoint)) continue;
    throw invalid(given, 'etcd.endpoints', endpoint, 'expected an address such as https://10.0.0.5:2379');
  }
  if ((text('etcd.cert') === undefined) !== (text('etcd.key') === undefined)) {
    const key = values.has('etcd.cert') ? 'etcd.cert' : 'etcd.key';
    throw new ClusterError('config-invalid', `${key} is given alone`, {
      key,
      hint: 'a client certificate needs both etcd.cert and etcd.key',
    });
  }
  return {
    endpoints: endpoints.map((endpoint) => endpoint.replace(/\/$/, '')),
    ...optional('ca'),
    ...optional('cert'),
    ...optional('key'),
    ...optional('user'),
    ...optional('password'),
    ...optional('tunnel'),
    timeoutMs: durationMs(text('etcd.timeout') ?? '3s') ?? 3000,
    prefix,
  };
}

function sshConfig(text: (key: string) => string | undefined, home: string): SshConfig {
  const identity = text('ssh.identity');
  const knownHosts = text('ssh.known-hosts');
  return {
    user: text('ssh.user') ?? 'root',
    ...(identity !== undefined && { identity }),
    ...(knownHosts !== undefined && { knownHosts }),
    strictHostKeyChecking: text('ssh.strict-host-key-checking') === 'accept-new' ? 'accept-new' : 'yes',
    transport: transportOf(text('ssh.transport')),
    timeoutMs: durationMs(text('ssh.timeout') ?? '10s') ?? 10_000,
    goneAfterMs: durationMs(text('ssh.gone-after') ?? '10s') ?? 10_000,
    persistMs: durationMs(text('ssh.persist') ?? '60s') ?? 0,
    config: text('ssh.config') ?? join(home, '.ssh', 'config'),
    parallel: Number(text('ssh.parallel') ?? 30),
  };
}

function transportOf(value: string | undefined): SshConfig['transport'] {
  return value === 'ssh2' || value === 'openssh' ? value : 'auto';
}

/** A real vulcand's own default has no slash before it, so one may be missing. */
function keyPrefix(value: Placed | undefined, key: string, otherwise: string): string {
  if (value === undefined) return otherwise;
  const trimmed = value.text.replace(/\/+$/, '');
  if (/^\/?[\w.-]+(\/[\w.-]+)*$/.test(trimmed)) return trimmed;
  throw invalid(value, key, value.text, `expected a path such as ${otherwise}`);
}

function invalid(value: Placed | undefined, key: string, text: string, hint: string): ClusterError {
  return new ClusterError('config-invalid', `${value?.source ?? key}: ${key} is '${text}'`, { key, hint });
}

function absolutePath(path: string, base: string, home: string): string {
  if (path === '~') return home;
  return path.startsWith('~/') ? join(home, path.slice(2)) : resolve(base, path);
}

function absoluteOr(path: string | undefined, fallback: string): string {
  return path !== undefined && isAbsolute(path) ? path : fallback;
}
