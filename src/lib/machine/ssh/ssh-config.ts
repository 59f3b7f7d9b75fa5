import { readdirSync, readFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { basename, dirname, isAbsolute, join } from 'node:path';
import SSHConfig, { glob } from 'ssh-config';
import { ClusterError } from '../../error.ts';
import type { MachineTarget, SshOptions } from '../port.ts';

/** What OpenSSH's client configuration says of one host, tokens expanded. */
export interface HostConfig {
  readonly hostName: string;
  readonly user?: string;
  readonly port?: number;
  readonly identityFiles: readonly string[];
  /** `[user@]host[:port]`, in the order to go through. */
  readonly proxyJump: readonly string[];
  readonly knownHostsFiles?: readonly string[];
  readonly acceptNew: boolean;
}

const MAX_DEPTH = 16;
const parsed = new WeakMap<SshOptions, SSHConfig>();

/** Looks a host up as `ssh` does: first value wins, Include followed, `Match exec` never run. */
export function lookupHost(
  host: string,
  options: SshOptions,
  given: { user?: string; port?: number } = {},
): HostConfig {
  const values = read(options).compute(given.user ? { Host: host, User: given.user } : { Host: host }, {
    ignoreCase: true,
    matchExec: false,
  });
  const all = (name: string) => [values[name] ?? []].flat();
  const first = (name: string) => all(name)[0];
  const port = given.port ?? (first('port') === undefined ? undefined : Number(first('port')));
  const user = given.user ?? first('user');
  const tokens = { n: host, h: host, p: String(port ?? 22), r: user ?? localUser() };
  const hostName = expandTokens(first('hostname') ?? host, tokens);
  const path = (text: string) => expandPath(text, { ...tokens, h: hostName });
  const jump = all('proxyjump').join(',');
  const files = all('userknownhostsfile');
  return {
    hostName,
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port }),
    identityFiles: all('identityfile')
      .filter((file) => file.toLowerCase() !== 'none')
      .map(path),
    proxyJump:
      jump === '' || jump.toLowerCase() === 'none'
        ? []
        : jump.split(',').map((hop) => expandTokens(hop.trim(), tokens)),
    ...(files.length === 0
      ? {}
      : { knownHostsFiles: files.filter((file) => file.toLowerCase() !== 'none').map(path) }),
    acceptNew: first('stricthostkeychecking')?.toLowerCase() === 'accept-new',
  };
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
    address.startsWith('-') ||
    user?.startsWith('-') ||
    (port !== undefined && (port < 1 || port > 65535))
  ) {
    throw new ClusterError('machine-address-invalid', `"${text}" is not an address of a machine`, {
      hint: 'write [user@]address[:port], such as root@10.0.0.5 or admin@[2001:db8::5]:2222',
    });
  }
  return { address, ...(user === undefined ? {} : { user }), ...(port === undefined ? {} : { port }) };
}

function read(options: SshOptions): SSHConfig {
  const known = parsed.get(options);
  if (known) return known;
  const config = parse(options.config);
  parsed.set(options, config);
  return config;
}

function parse(path: string | null | undefined): SSHConfig {
  if (path === null) return SSHConfig.parse('');
  const home = join(homedir(), '.ssh');
  const text =
    path === undefined
      ? `${load(join(home, 'config'), home)}\nHost *\n${load('/etc/ssh/ssh_config', '/etc/ssh')}`
      : load(expandPath(path, {}), home, true);
  try {
    return SSHConfig.parse(text);
  } catch (error) {
    throw new ClusterError('ssh-config-invalid', `the SSH configuration cannot be read: ${String(error)}`, {
      ...(path === undefined ? {} : { file: path }),
      cause: error,
    });
  }
}

/** The text of a file with its Include lines replaced by what they name. */
function load(path: string, base: string, required = false, depth = 0): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (!required) return '';
    throw new ClusterError('ssh-config-invalid', `the SSH configuration ${path} cannot be read`, {
      file: path,
      cause: error,
    });
  }
  let section = 'Host *';
  const lines: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const [, word, rest] = /^\s*([A-Za-z]+)[ \t=]+(.*)$/.exec(line) ?? [];
    const key = word?.toLowerCase();
    if (key === 'host' || key === 'match') section = line;
    // The parser would run nslookup for this one.
    if (key === 'canonicalizehostname') continue;
    if (key !== 'include' || rest === undefined || depth >= MAX_DEPTH) {
      lines.push(line);
      continue;
    }
    for (const pattern of rest.match(/"[^"]*"|\S+/g) ?? []) {
      for (const file of findFiles(pattern.replaceAll('"', ''), base))
        lines.push(load(file, base, false, depth + 1));
    }
    lines.push(section);
  }
  return lines.join('\n');
}

function findFiles(pattern: string, base: string): string[] {
  const expanded = expandPath(pattern, {});
  const path = isAbsolute(expanded) ? expanded : join(base, expanded);
  if (!/[*?]/.test(path)) return [path];
  try {
    const names = readdirSync(dirname(path)).filter(
      (name) => !name.startsWith('.') && glob(basename(path), name),
    );
    return names.sort().map((name) => join(dirname(path), name));
  } catch {
    return [];
  }
}

/** `~`, `${VAR}` and the tokens of ssh_config(5). */
export function expandPath(text: string, tokens: Readonly<Record<string, string>>): string {
  const home = homedir();
  const tilde = text === '~' || text.startsWith('~/') ? home + text.slice(1) : text;
  const variables = tilde.replace(/\$\{(\w+)\}/g, (_, name: string) => process.env[name] ?? '');
  return expandTokens(variables, { ...tokens, d: home, u: localUser() });
}

function expandTokens(text: string, tokens: Readonly<Record<string, string>>): string {
  return text.replace(/%(.)/g, (whole, token: string) => (token === '%' ? '%' : (tokens[token] ?? whole)));
}

function localUser(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env.USER ?? '';
  }
}
