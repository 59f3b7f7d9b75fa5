import { parseGoDuration } from '../../../traffic/index.ts';
import { backendName } from '../names.ts';
import type { RetryProfile } from './failover.ts';
import type { Pool } from './pools.ts';
import { quote } from './quote.ts';

/** vulcand's, where a backend says nothing. */
export const DEFAULTS = { dialMs: 5000, readMs: 60_000 };

/**
 * Asks of TCP whether a server that owes an answer is still there: a machine that is cut off after it acknowledged a
 * request says nothing, and is given up 10 s + 3 * 5 s after its last word.
 */
export const KEEP_ALIVE = ['option srvtcpka', 'srvtcpka-idle 10s', 'srvtcpka-intvl 5s', 'srvtcpka-cnt 3'];

/**
 * How long a server may leave what it was sent without a word that it has it, before its connections count as broken: a
 * machine that is cut off costs its requests this and not the whole `timeout server`. HAProxy 2.6 takes it for servers
 * of the configuration only, not for those of `add server`.
 */
const SILENCE_MS = 15_000;

/** HAProxy keeps time as 32 bits of milliseconds. */
export const LONGEST_MS = 2 ** 31 - 1;

/** Linux refuses more for TCP_KEEPIDLE and TCP_KEEPINTVL. */
const LONGEST_PROBE_S = 32_767;

/** A pool's backend as HAProxy's section; the line `#servers NAME` marks where its servers go. */
export function backendSection(pool: Pool, profile: RetryProfile): string {
  const { backend } = pool;
  const { Timeouts, KeepAlive, StickyCookie } = backend.Settings;
  const name = backendName(backend.Id, profile.tag);
  const dial = milliseconds(Timeouts.Dial);
  // HAProxy's connect timeout takes in the TLS handshake.
  const handshake = pool.hasTls ? milliseconds(Timeouts.TLSHandshake) : 0;
  const read = milliseconds(Timeouts.Read);
  const period = milliseconds(KeepAlive.Period);
  const lines: string[] = [];
  if (dial + handshake > 0)
    lines.push(`timeout connect ${Math.min(LONGEST_MS, (dial || DEFAULTS.dialMs) + handshake)}ms`);
  if (read > 0) lines.push(`timeout server ${read}ms`);
  if (period > 0) {
    const seconds = Math.min(LONGEST_PROBE_S, Math.max(1, Math.round(period / 1000)));
    lines.push(`srvtcpka-idle ${seconds}s`, `srvtcpka-intvl ${seconds}s`);
  }
  // A server that takes its time to read a long body is as silent.
  if (!profile.isStream)
    lines.push(`default-server tcp-ut ${Math.min(LONGEST_MS, Math.max(SILENCE_MS, dial + handshake))}ms`);
  if (StickyCookie !== '') lines.push(`cookie ${StickyCookie} insert indirect nocache httponly`);
  if (profile.tag !== '') lines.push(`retries ${profile.retries}`, `retry-on ${profile.on.join(' ')}`);
  lines.push(...repeating(profile), `#servers ${name}`);
  return [`backend ${name}`, ...lines.map((line) => `  ${line}`)].join('\n');
}

/** Only these methods are sent again after they reached a server. */
function repeating({ methods, on }: RetryProfile): string[] {
  if (methods === null || on.length === 1) return [];
  const wanted = methods.map((method) => quote(method)).join(' ');
  return [`http-request disable-l7-retry unless { method -- ${wanted} }`];
}

function milliseconds(duration: string): number {
  const ms = parseGoDuration(duration) ?? 0;
  return ms <= 0 ? 0 : Math.min(LONGEST_MS, Math.max(1, Math.round(ms)));
}
