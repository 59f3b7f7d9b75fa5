import { parseGoDuration } from '../../../traffic/index.ts';
import { backendName } from '../names.ts';
import type { RetryProfile } from './failover.ts';
import type { Pool } from './pools.ts';
import { quote } from './quote.ts';

/** vulcand's, for a backend without timeouts. */
export const DEFAULTS = { dialMs: 5000, readMs: 60_000 };

/**
 * TCP keep-alive to servers that owe an answer: a machine that is cut off after it acknowledged a request is given up
 * 10 s + 3 * 5 s after its last packet.
 */
export const KEEP_ALIVE = ['option srvtcpka', 'srvtcpka-idle 10s', 'srvtcpka-intvl 5s', 'srvtcpka-cnt 3'];

/**
 * How long data may stay unacknowledged by a server before its connection counts as broken, so that a machine that is
 * cut off costs its requests this long and not the whole `timeout server`. HAProxy 2.6 accepts it only for servers in
 * the configuration, not for those of `add server`.
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
  // HAProxy's connect timeout includes the TLS handshake.
  const handshake = pool.hasTls ? milliseconds(Timeouts.TLSHandshake) : 0;
  const read = milliseconds(Timeouts.Read);
  const period = milliseconds(KeepAlive.Period);
  const lines: string[] = [];
  if (dial + handshake > 0)
    lines.push(`timeout connect ${Math.min(LONGEST_MS, (dial || DEFAULTS.dialMs) + handshake)}ms`);
  // After a request that ends its connection HAProxy waits for the answer half-closed.
  if (read > 0) lines.push(`timeout server ${read}ms`, `timeout server-fin ${read}ms`);
  if (period > 0) {
    const seconds = Math.min(LONGEST_PROBE_S, Math.max(1, Math.round(period / 1000)));
    lines.push(`srvtcpka-idle ${seconds}s`, `srvtcpka-intvl ${seconds}s`);
  }
  // A server that reads a long body slowly leaves data unacknowledged as long.
  if (!profile.isStream)
    lines.push(`default-server tcp-ut ${Math.min(LONGEST_MS, Math.max(SILENCE_MS, dial + handshake))}ms`);
  if (StickyCookie !== '') lines.push(`cookie ${StickyCookie} insert indirect nocache httponly`);
  if (profile.tag !== '') lines.push(`retries ${profile.retries}`, `retry-on ${profile.on.join(' ')}`);
  lines.push(...repeating(profile), `#servers ${name}`);
  return [`backend ${name}`, ...lines.map((line) => `  ${line}`)].join('\n');
}

/** Only these methods are sent again after they have reached a server. */
function repeating({ methods, on }: RetryProfile): string[] {
  if (methods === null || on.length === 1) return [];
  const wanted = methods.map((method) => quote(method)).join(' ');
  return [`http-request disable-l7-retry unless { method -- ${wanted} }`];
}

function milliseconds(duration: string): number {
  const ms = parseGoDuration(duration) ?? 0;
  return ms <= 0 ? 0 : Math.min(LONGEST_MS, Math.max(1, Math.round(ms)));
}
