import type { Target } from '../checker.ts';
import type { Engine } from '../containers/port.ts';
import { noAnswer, probeHttp, probeTcp } from '../probe.ts';
import type { Answer } from './health.ts';
import type { Check, Offer } from './model.ts';
import { presencePath } from './presence.ts';

/** For what nobody said how to check, while Docker does not tell whether its container lives. */
const FALLBACK: Check = { how: { kind: 'tcp' }, intervalMs: 1000, timeoutMs: 1000, rise: 1, fall: 1 };

/** What to ask of a server; null = nothing, for as long as Docker tells of its container. */
export function targetOf(offer: Offer, fresh: boolean, engine: Engine, connected: boolean): Target | null {
  const check = offer.check ?? (connected ? null : FALLBACK);
  if (check === null || offer.sharedHost === null) return null;
  const { container, startedAt } = offer.service;
  return {
    key: presencePath(offer),
    signature: JSON.stringify([offer.url, container, startedAt, check]),
    intervalMs: check.intervalMs,
    rise: check.rise,
    fall: check.fall,
    fresh,
    probe: () => probe(offer, check, engine),
  };
}

/** Where a check asks, as a person would: `http://10.133.191.84:49154/health`. */
export function placeOf(offer: Offer, check: Check | null = offer.check): string {
  const { address, port } = offer.service;
  const host = address.includes(':') ? `[${address}]` : address;
  switch (check?.how.kind) {
    case 'http':
    case 'https':
      return `${schemeOf(offer, check.how.kind)}://${host}:${port}${check.how.path}`;
    case 'script':
      return check.how.command;
    default:
      return `tcp://${host}:${port}`;
  }
}

/** `SERVICE_CHECK_HTTP` asks in the words that the server speaks. */
function schemeOf({ url }: Offer, kind: 'http' | 'https'): 'http' | 'https' {
  return kind === 'https' || url.startsWith('https:') ? 'https' : 'http';
}

function probe(offer: Offer, { how, timeoutMs }: Check, engine: Engine): Promise<Answer> {
  switch (how.kind) {
    case 'http':
    case 'https':
      return probeHttp(schemeOf(offer, how.kind), offer.service, how.path, timeoutMs);
    case 'tcp':
      return probeTcp(offer.service, timeoutMs);
    case 'script':
      return probeScript(offer, how.command, timeoutMs, engine);
  }
}

async function probeScript(
  { service }: Offer,
  command: string,
  timeoutMs: number,
  engine: Engine,
): Promise<Answer> {
  const env = [`SERVICE_IP=${service.address}`, `SERVICE_PORT=${service.port}`];
  try {
    const code = await engine.exec(service.container, ['/bin/sh', '-c', command], env, timeoutMs);
    return code === null ? noAnswer(timeoutMs) : { good: code === 0, said: `exit code ${code}` };
  } catch (error) {
    return { good: false, said: error instanceof Error ? error.message : String(error) };
  }
}
