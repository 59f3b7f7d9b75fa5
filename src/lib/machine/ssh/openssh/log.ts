import type { ClusterError } from '../../../error.ts';
import { authRefused, hostKeyChanged, hostKeyUnknown, unreachable } from '../../errors.ts';

type Where = Parameters<typeof unreachable>[0];

/** What is known beside the log of a login that failed. */
export interface Circumstances {
  readonly where: Where;
  /** The known_hosts file that an accepted key would go to. */
  readonly knownHosts: string;
  /** What is wrong with a certificate of ours, if anything is. */
  readonly certificate?: string;
  readonly timeoutMs: number;
}

/** Why OpenSSH's client did not log in, read from its log (LogLevel DEBUG1). */
export function loginError(log: string, about: Circumstances): ClusterError {
  const { where, knownHosts, certificate, timeoutMs } = about;
  const lines = log.split('\n').map((line) => line.trim());
  const find = (pattern: RegExp) =>
    lines.map((line) => pattern.exec(line)).findLast((match) => match !== null);

  const [, type = 'key', print = ''] = find(/^debug1: Server host key: (\S+) (\S+)/) ?? [];
  const [, place] = find(/^(?:Offending|Matching) .*key in (.+)$/) ?? [];
  const at = place ?? knownHosts;
  if (find(/REVOKED HOST KEY DETECTED|marked as revoked/))
    return hostKeyChanged(where, `${type} ${print}`, `which ${at} revokes`, at);
  if (find(/REMOTE HOST IDENTIFICATION HAS CHANGED/))
    return hostKeyChanged(where, `${type} ${print}`, `${at} says another one`, at);
  if (find(/^(No .* host key is known for|Host key verification failed)/)) {
    const scan = `answer yes to: ${where.command ?? 'ssh'} true`;
    return hostKeyUnknown(where, type, print, scan);
  }

  const tried = lines.flatMap((line) => {
    const [, offered] = /^debug1: Offering public key: (.+?) (?:\S+ SHA256:\S+.*)?$/.exec(`${line} `) ?? [];
    return offered === undefined ? [] : [offered.trim()];
  });
  const login = { tried, locked: [], ...(certificate === undefined ? {} : { certificate }) };
  if (find(/Too many authentication failures/i)) return authRefused(where, { ...login, tooMany: true });
  const denied = find(/Permission denied \(([^)]*)\)/);
  if (denied) {
    const missing = find(/partial success/) ? (denied[1] ?? '').split(',') : [];
    return authRefused(where, { ...login, missing });
  }
  if (find(/no more authentication methods|No supported authentication methods/))
    return authRefused(where, login);
  return unreachable(where, why(lines) ?? `no answer within ${timeoutMs / 1000} s`);
}

const WORDS: readonly (readonly [RegExp, string])[] = [
  [/Could not resolve hostname/, 'its name is not known'],
  [/Connection refused/, 'connection refused'],
  [/No route to host/, 'no route to it'],
  [/Network is unreachable/, 'no route to its network'],
  [/(Connection|Operation) timed out/, 'no answer'],
  [/stdio forwarding failed/i, 'its jump machine cannot reach it'],
];

/** The last line that says something, in our words where we have some. */
function why(lines: readonly string[]): string | null {
  const said = lines.filter((line) => line !== '' && !/^debug\d: /.test(line));
  const known = WORDS.find(([pattern]) => said.some((line) => pattern.test(line)));
  if (known) return known[1];
  const closed = /^(kex_exchange_identification|Connection closed by UNKNOWN|banner exchange)/;
  const proxy = lines.some((line) => /^debug1: Executing proxy command/.test(line));
  if (proxy && said.some((line) => closed.test(line))) {
    const own = said.find((line) => !closed.test(line));
    return `its ProxyCommand ended${own === undefined ? '' : `: ${own}`}`;
  }
  return said.at(-1)?.replace(/^ssh: /, '') ?? null;
}
