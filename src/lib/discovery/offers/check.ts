/**
 * What containers offer, what is said of their health, and the registry edits that follow. Pure: it must not read a
 * container runtime or a store.
 */
import { parseGoDuration } from '../../traffic/index.ts';
import type { Check } from './model.ts';

const DEFAULT_INTERVAL_MS = 11_000;
const DEFAULT_TIMEOUT_MS = 5_000;
const SHORTEST_MS = 100;

/** The check that SERVICE_CHECK_* asks for; null = none. What does not read well has its default and is a problem. */
export function readCheck(attributes: Readonly<Record<string, string>>): {
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

function howOf(attributes: Readonly<Record<string, string>>, problems: string[]): Check['how'] | null {
  for (const kind of ['http', 'https'] as const) {
    const given = attributes[`check_${kind}`];
    if (given === undefined) continue;
    const path = given.startsWith('/') ? given : `/${given}`;
    if (/^[\x21-\x7e]+$/.test(path)) return { kind, path };
    // Without an answer it can pass, a server with this mistake would get traffic unchecked.
    problems.push(`SERVICE_CHECK_${kind.toUpperCase()}=${given} is not a path; its port is checked instead`);
    return { kind: 'tcp' };
  }
  if (attributes.check_tcp !== undefined) return { kind: 'tcp' };
  const command = attributes.check_script;
  return command === undefined ? null : { kind: 'script', command };
}
