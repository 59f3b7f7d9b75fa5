import type { Target } from './checker.ts';
import type { ContainerRuntime } from './containers/port.ts';
import type { ProbeResult } from './offers/health.ts';
import type { Check, GrpcQuestion, HttpQuestion, Offer } from './offers/model.ts';
import { presencePath } from './offers/presence.ts';
import { noAnswer, probeHttp, probeTcp } from './probe.ts';
import { probeGrpc } from './probe-grpc.ts';

/** For services without a check, while the runtime does not say whether their containers run. */
const FALLBACK: Check = { how: { kind: 'tcp' }, intervalMs: 1000, timeoutMs: 1000, rise: 1, fall: 1 };

/** What to ask of a server; null = nothing, as long as the runtime (`connected`) says whether its container runs. */
export function targetOf(
  offer: Offer,
  fresh: boolean,
  runtime: ContainerRuntime,
  connected: boolean,
): Target | null {
  const check = offer.check ?? (connected ? null : FALLBACK);
  if (check === null || !offer.balanced) return null;
  const { container, startedAt } = offer.service;
  return {
    key: presencePath(offer),
    signature: JSON.stringify([offer.url, container, startedAt, check]),
    intervalMs: check.intervalMs,
    rise: check.rise,
    fall: check.fall,
    fresh,
    probe: () => probe(offer, check, runtime),
  };
}

/** What a check asks, as a person writes it: `http://10.133.191.84:49154/health`. */
export function addressOf(offer: Offer, check: Check | null = offer.check): string {
  const { address, port } = offer.service;
  const host = address.includes(':') ? `[${address}]` : address;
  switch (check?.how.kind) {
    case 'http':
    case 'https':
      return `${usesTls(offer, check.how) ? 'https' : 'http'}://${host}:${port}${check.how.path}`;
    case 'grpc':
      return `grpc://${host}:${port}${check.how.service === '' ? '' : `/${check.how.service}`}`;
    case 'script':
      return check.how.command;
    default:
      return `tcp://${host}:${port}`;
  }
}

/** A check uses TLS where the server does, too. */
function usesTls({ url }: Offer, how: HttpQuestion | GrpcQuestion): boolean {
  return how.kind === 'https' || (how.kind === 'grpc' && how.tls) || url.startsWith('https:');
}

function probe(offer: Offer, { how, timeoutMs }: Check, runtime: ContainerRuntime): Promise<ProbeResult> {
  switch (how.kind) {
    case 'http':
    case 'https':
      return probeHttp(usesTls(offer, how) ? 'https' : 'http', offer.service, how, timeoutMs);
    case 'grpc':
      return probeGrpc(usesTls(offer, how), offer.service, how, timeoutMs);
    case 'tcp':
      return probeTcp(offer.service, timeoutMs);
    case 'script':
      return probeScript(offer, how.command, timeoutMs, runtime);
  }
}

async function probeScript(
  { service }: Offer,
  command: string,
  timeoutMs: number,
  runtime: ContainerRuntime,
): Promise<ProbeResult> {
  const env = [`SERVICE_IP=${service.address}`, `SERVICE_PORT=${service.port}`];
  try {
    const code = await runtime.exec(service.container, ['/bin/sh', '-c', command], env, timeoutMs);
    return code === null ? noAnswer(timeoutMs) : { good: code === 0, text: `exit code ${code}` };
  } catch (error) {
    return { good: false, text: error instanceof Error ? error.message : String(error) };
  }
}
