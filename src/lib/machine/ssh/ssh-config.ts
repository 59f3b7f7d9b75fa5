import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ClusterError } from '../../error.ts';
import { isHostWord, isUserWord } from '../../shell-words.ts';
import type { MachineTarget, SshOptions } from '../port.ts';
import { type ConfigFiles, lineOf, readConfigFiles } from './config-file.ts';
import { notFollowed, type OptionValues, opensshOnly } from './config-options.ts';
import { askSsh } from './ssh-g.ts';
import { expandPath, expandTokens, localUser } from './tokens.ts';

/** What OpenSSH's client configuration says of one host, tokens expanded. */
export interface HostConfig {
  readonly hostName: string;
  readonly user?: string;
  readonly port?: number;
  readonly identityFiles: readonly string[];
  /** Only keys of `identityFiles` are offered, whatever else an agent has. */
  readonly identitiesOnly: boolean;
  /** Socket of the agent to ask instead of SSH_AUTH_SOCK's; null = none. */
  readonly identityAgent?: string | null;
  /** `[user@]host[:port]`, in the order to go through. */
  readonly proxyJump: readonly string[];
  readonly knownHostsFiles?: readonly string[];
  readonly globalKnownHostsFiles?: readonly string[];
  /** The name to look host keys up by, instead of host name and port. */
  readonly hostKeyAlias?: string;
  readonly acceptNew: boolean;
  readonly connectTimeoutMs?: number;
  readonly keepAliveMs?: number;
  readonly keepAliveCount?: number;
  readonly family?: 4 | 6;
  readonly bindAddress?: string;
  readonly addKeysToAgent: boolean;
  readonly gssapi: boolean;
  /** Options that only the system's OpenSSH client follows, as `file:line: Option value`. */
  readonly opensshOnly: readonly string[];
  /** What opens a connection as this configuration does: `ssh web`, or `ssh -p 22 root@10.0.0.5`. */
  readonly command: string;
}

const DEFAULT_NAMES = ['id_ed25519', 'id_ecdsa', 'id_rsa'];
const files = new WeakMap<SshOptions, ConfigFiles>();
const asked = new WeakMap<SshOptions, Map<string, OptionValues>>();

/** Private key files that are tried where no other is named. */
export function usualKeyFiles(): string[] {
  return DEFAULT_NAMES.map((name) => join(homedir(), '.ssh', name));
}

/**
 * Looks a host up as `ssh` does: first value wins, Include followed. Where a Match rule or name canonicalisation needs
 * more than the text, the system's own client is asked (`ssh -G`); with `transport: 'ssh2'` such rules do not apply.
 */
export function lookupHost(
  host: string,
  options: SshOptions,
  given: { user?: string; port?: number } = {},
): HostConfig {
  const values = valuesOf(host, options, given);
  const all = (name: string) => [values[name] ?? []].flat();
  const first = (name: string) => all(name)[0];
  const ownPort = first('port') === undefined ? undefined : Number(first('port'));
  const port = given.port ?? ownPort;
  const user = given.user ?? first('user');
  const tokens = { n: host, h: host, k: host, p: String(port ?? 22), r: user ?? localUser() };
  const hostName = expandTokens(first('hostname') ?? host, tokens);
  const path = (text: string) => expandPath(text, { ...tokens, h: hostName });
  const paths = (name: string) =>
    all(name)
      .filter((file) => file.toLowerCase() !== 'none')
      .map(path);
  const jump = all('proxyjump').join(',');
  const agent = identityAgent(first('identityagent'), path);
  const family = first('addressfamily')?.toLowerCase();
  const strict = first('stricthostkeychecking')?.toLowerCase();
  const isYes = (name: string) => /^(yes|true)$/i.test(first(name) ?? '');
  return {
    hostName,
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port }),
    identityFiles: paths('identityfile'),
    identitiesOnly: isYes('identitiesonly'),
    ...(agent === undefined ? {} : { identityAgent: agent }),
    proxyJump:
      jump === '' || jump.toLowerCase() === 'none'
        ? []
        : jump.split(',').map((hop) => expandTokens(hop.trim(), tokens)),
    ...(all('userknownhostsfile').length === 0 ? {} : { knownHostsFiles: paths('userknownhostsfile') }),
    ...(all('globalknownhostsfile').length === 0
      ? {}
      : { globalKnownHostsFiles: paths('globalknownhostsfile') }),
    ...optional('hostKeyAlias', first('hostkeyalias')?.toLowerCase()),
    acceptNew: strict === 'accept-new',
    ...optional('connectTimeoutMs', milliseconds(first('connecttimeout'))),
    ...optional('keepAliveMs', milliseconds(first('serveraliveinterval'))),
    ...optional('keepAliveCount', count(first('serveralivecountmax'))),
    ...(family === 'inet' ? { family: 4 as const } : family === 'inet6' ? { family: 6 as const } : {}),
    ...optional('bindAddress', first('bindaddress')),
    addKeysToAgent: !/^(no|false)$/i.test(first('addkeystoagent') ?? 'no'),
    gssapi: isYes('gssapiauthentication'),
    opensshOnly: [
      ...opensshOnly(values).map(({ keyword, value }) => place(options, keyword, value)),
      ...specialKeys(options, paths('identityfile')),
    ],
    command: sshCommand(host, options, hostName !== host, {
      user: given.user ?? 'root',
      port: port ?? 22,
      sameUser: given.user === undefined || saysUser(options, given.user),
      samePort: (port ?? 22) === (ownPort ?? 22),
    }),
  };
}

/** Options in the client's configuration that cluster does not follow for this host, as sentences. */
export function unfollowedOptions(target: MachineTarget, options: SshOptions): string[] {
  const values = valuesOf(target.address, options, target);
  const passed = notFollowed(values).map(
    ({ keyword, value, instead }) => `${place(options, keyword, value)} is not followed: ${instead}`,
  );
  if (options.transport !== 'ssh2') return passed;
  const lost = opensshOnly(values).map(
    ({ keyword, value }) => `${place(options, keyword, value)} is not followed with --ssh-transport ssh2`,
  );
  const rules = configOf(options).sshJudges.map(
    ({ file, line, keyword, value }) =>
      `${file}:${line}: ${keyword} ${value} does not apply with --ssh-transport ssh2`,
  );
  return [...passed, ...lost, ...rules];
}

function optional<Key extends string, Value>(key: Key, value: Value | undefined): { [_ in Key]?: Value } {
  return (value === undefined ? {} : { [key]: value }) as { [_ in Key]?: Value };
}

function valuesOf(
  host: string,
  options: SshOptions,
  given: { readonly user?: string; readonly port?: number },
): OptionValues {
  const read = configOf(options);
  const own = read.parsed.compute(given.user ? { Host: host, User: given.user } : { Host: host }, {
    ignoreCase: true,
    matchExec: false,
  });
  if (read.sshJudges.length === 0 || options.transport === 'ssh2') return own;
  let known = asked.get(options);
  if (!known) {
    known = new Map();
    asked.set(options, known);
  }
  const key = JSON.stringify([host, given.user, given.port]);
  let values = known.get(key);
  if (!values) {
    const answer = askSsh({
      host,
      ...given,
      ...(options.config === undefined ? {} : { config: options.config }),
    });
    values = answer === null ? own : { ...(own.user === undefined ? {} : { user: own.user }), ...answer };
    known.set(key, values);
  }
  return values;
}

function configOf(options: SshOptions): ConfigFiles {
  let read = files.get(options);
  if (!read) {
    read = readConfigFiles(options.config);
    files.set(options, read);
  }
  return read;
}

/** `file:line: Keyword value`, for the line that set an option. */
function place(options: SshOptions, keyword: string, value: string): string {
  const found = lineOf(configOf(options), keyword, value);
  return found === undefined
    ? `${keyword} ${value}`
    : `${found.file}:${found.line}: ${wordAt(found)} ${value}`;
}

function wordAt({ file, line, keyword }: { file: string; line: number; keyword: string }): string {
  const text = readFileSync(file, 'utf8').split(/\r?\n/)[line - 1] ?? '';
  return /^\s*(\w+)/.exec(text)?.[1] ?? keyword;
}

/** Key files that ssh2 cannot use: those with a certificate beside them, and hardware keys. */
function specialKeys(options: SshOptions, named: readonly string[]): string[] {
  const own = options.identity === undefined ? named : [options.identity, ...named];
  const certified = [...own, ...(named.length === 0 ? usualKeyFiles() : [])]
    .map((file) => `${file}-cert.pub`)
    .filter((file) => existsSync(file));
  const hardware = own.filter(isHardwareKey);
  return [
    ...certified.map((file) => `the certificate ${file}`),
    ...hardware.map((file) => `the hardware key ${file}`),
  ];
}

function isHardwareKey(file: string): boolean {
  try {
    return /^sk-/.test(readFileSync(`${file.replace(/\.pub$/, '')}.pub`, 'utf8'));
  } catch {
    return false;
  }
}

function identityAgent(value: string | undefined, path: (text: string) => string): string | null | undefined {
  if (value === undefined || value === 'SSH_AUTH_SOCK') return undefined;
  if (value.toLowerCase() === 'none') return null;
  return value.startsWith('$') && !value.startsWith('${') ? process.env[value.slice(1)] || null : path(value);
}

/** A time of ssh_config: seconds, or numbers with s, m, h, d, w; `none` and nonsense are undefined. */
function milliseconds(text: string | undefined): number | undefined {
  if (text === undefined || !/^(\d+[smhdw]?)+$/i.test(text)) return undefined;
  const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
  const parts = [...text.matchAll(/(\d+)([smhdw]?)/gi)];
  return (
    parts.reduce((sum, [, number, unit = '']) => sum + Number(number) * (units[unit.toLowerCase()] ?? 1), 0) *
    1000
  );
}

function count(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** Whether the configuration names this user anywhere, so that it need not be typed for an alias. */
function saysUser(options: SshOptions, user: string): boolean {
  return configOf(options).lines.some(({ keyword, value }) => keyword === 'user' && value === user);
}

function sshCommand(
  host: string,
  options: SshOptions,
  isAlias: boolean,
  login: { user: string; port: number; sameUser: boolean; samePort: boolean },
): string {
  const file = typeof options.config === 'string' ? ['-F', options.config] : [];
  if (!isAlias) return ['ssh', ...file, '-p', login.port, `${login.user}@${host}`].join(' ');
  const port = login.samePort ? [] : ['-p', login.port];
  return ['ssh', ...file, ...port, login.sameUser ? host : `${login.user}@${host}`].join(' ');
}

/**
 * What the registry stores of a machine that a person names: user and port are decided here, once. The address stays
 * as typed, so that HostName, ProxyJump and IdentityFile of an alias keep applying whenever it is connected.
 */
export function resolveTarget(
  spec: { readonly address: string; readonly user?: string; readonly port?: number },
  options: SshOptions,
  defaults: { readonly user?: string; readonly port?: number } = {},
): MachineTarget {
  const config = lookupHost(spec.address, options, spec);
  return {
    address: spec.address,
    user: spec.user ?? config.user ?? defaults.user ?? 'root',
    port: spec.port ?? config.port ?? defaults.port ?? 22,
  };
}

/** A machine as a person writes it. */
export interface MachineSpec {
  readonly address: string;
  readonly user?: string;
  readonly port?: number;
}

/** Reads `[user@]address[:port]`; an IPv6 address with a port stands in brackets. */
export function parseSpec(text: string): MachineSpec {
  const [, user, bracketed, plain, digits] =
    /^(?:([^@\s]+)@)?(?:\[([^\]\s]+)\]|([^@:/\s[\]]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.%\w]*))(?::(\d+))?$/.exec(
      text,
    ) ?? [];
  const bare = plain?.includes(':') && digits !== undefined ? `${plain}:${digits}` : undefined;
  const address = bracketed ?? bare ?? plain;
  const port = bare !== undefined || digits === undefined ? undefined : Number(digits);
  if (
    !address ||
    !isHostWord(address) ||
    (user !== undefined && !isUserWord(user)) ||
    (port !== undefined && (port < 1 || port > 65535))
  ) {
    throw new ClusterError('machine-address-invalid', `"${text}" is not an address of a machine`, {
      hint: 'write [user@]address[:port], such as root@10.0.0.5 or admin@[2001:db8::5]:2222',
    });
  }
  return { address, ...(user === undefined ? {} : { user }), ...(port === undefined ? {} : { port }) };
}
