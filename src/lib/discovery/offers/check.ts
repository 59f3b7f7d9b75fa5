/**
 * What containers offer, what is said of their health, and the registry edits that follow. Pure: it must not read a
 * container runtime or a store.
 */
import { hostAsSent } from '../../route/index.ts';
import { parseGoDuration } from '../../traffic/index.ts';
import type { Check } from './model.ts';

type Attributes = Readonly<Record<string, string>>;

const DEFAULT_INTERVAL_MS = 11_000;
const DEFAULT_TIMEOUT_MS = 5_000;
const SHORTEST_MS = 100;

/** The check that SERVICE_CHECK_* asks for; null = none. What does not read well has its default and is a problem. */
export function readCheck(attributes: Attributes): {
  readonly check: Check | null;
  readonly problems: readonly string[];
} {
  const problems: string[] = [];
  const duration = (name: string, otherwise: number): number => {
    const given = attributes[name];
    if (given === undefined) return otherwise;
    const ms = parseGoDuration(given);
    if (ms !== null && ms >= SHORTEST_MS) return ms;
    problems.push(`SERVICE_${name.toUpperCase()}=${given} is not a duration of 100ms or more, such as 3s`);
    return otherwise;
  };
  const count = (name: string): number => {
    const given = attributes[name] ?? '1';
    if (/^[1-9]\d{0,2}$/.test(given)) return Number(given);
    problems.push(`SERVICE_${name.toUpperCase()}=${given} is not a count from 1 to 999`);
    return 1;
  };
  const how = howOf(attributes, problems);
  if (how === null) return { check: null, problems };
  const intervalMs = duration('check_interval', DEFAULT_INTERVAL_MS);
  const timeoutMs = Math.min(duration('check_timeout', DEFAULT_TIMEOUT_MS), intervalMs);
  return {
    check: { how, intervalMs, timeoutMs, rise: count('check_rise'), fall: count('check_fall') },
    problems,
  };
}

function howOf(attributes: Attributes, problems: string[]): Check['how'] | null {
  for (const kind of ['http', 'https'] as const) {
    const given = attributes[`check_${kind}`];
    if (given === undefined) continue;
    const path = given.startsWith('/') ? given : `/${given}`;
    if (!/^[\x21-\x7e]+$/.test(path)) {
      // Without an answer it can pass, a server with this mistake would get traffic unchecked.
      problems.push(
        `SERVICE_CHECK_${kind.toUpperCase()}=${given} is not a path; its port is checked instead`,
      );
      return { kind: 'tcp' };
    }
    const method = methodOf(`check_${kind}_method`, attributes, problems);
    return {
      kind,
      path,
      method,
      statuses: statusesOf(attributes, problems),
      ...nameOf(attributes, problems),
    };
  }
  const service = attributes.check_grpc;
  if (service !== undefined)
    return {
      kind: 'grpc',
      service: isYes(service) ? '' : service,
      tls: isSet('check_grpc_use_tls', attributes, problems),
      ...nameOf(attributes, problems),
    };
  if (attributes.check_tcp !== undefined) return { kind: 'tcp' };
  const command = attributes.check_script;
  return command === undefined ? null : { kind: 'script', command };
}

function methodOf(key: string, attributes: Attributes, problems: string[]): string {
  const given = attributes[key] ?? 'GET';
  if (/^(GET|HEAD|OPTIONS|POST)$/.test(given)) return given;
  problems.push(`SERVICE_${key.toUpperCase()}=${given} is not GET, HEAD, OPTIONS or POST; GET is used`);
  return 'GET';
}

/** `200-299,401`, `2xx`. */
function statusesOf({ check_status: given }: Attributes, problems: string[]): readonly [number, number][] {
  if (given === undefined) return [[200, 200]];
  const ranges = given.split(',').map((text): [number, number] | null => {
    const [, hundreds, first, last] = /^\s*(?:([1-5])xx|([1-5]\d\d)(?:-([1-5]\d\d))?)\s*$/i.exec(text) ?? [];
    if (hundreds !== undefined) return [Number(hundreds) * 100, Number(hundreds) * 100 + 99];
    if (first === undefined || Number(last ?? first) < Number(first)) return null;
    return [Number(first), Number(last ?? first)];
  });
  const good = ranges.filter((range) => range !== null);
  if (good.length === ranges.length) return good;
  problems.push(`SERVICE_CHECK_STATUS=${given} is not a list such as 200-299,401; only 200 is good`);
  return [[200, 200]];
}

/** Whom a server is asked as, and whether it must prove that it is that one. */
function nameOf(attributes: Attributes, problems: string[]): { host: string | null; verify: boolean } {
  const verify = isSet('check_tls_verify', attributes, problems);
  const given = attributes.check_host;
  if (given === undefined) return { host: null, verify };
  const host = /[^\0-\x7f]/.test(given) ? (hostAsSent(given) ?? given) : given;
  if (/^([\w~-][\w.~-]*|\[[0-9a-f:.]+\])(:\d{1,5})?$/i.test(host)) return { host, verify };
  problems.push(`SERVICE_CHECK_HOST=${given} is not a host name; the address is used`);
  return { host: null, verify };
}

const isYes = (text: string): boolean => /^(true|yes|on|1)$/i.test(text);

/** A word that is neither yes nor no counts as yes, the stricter of the two. */
function isSet(key: string, attributes: Attributes, problems: string[]): boolean {
  const given = attributes[key];
  if (given === undefined || /^(false|no|off|0)$/i.test(given)) return false;
  if (!isYes(given)) problems.push(`SERVICE_${key.toUpperCase()}=${given} is taken for true`);
  return true;
}
