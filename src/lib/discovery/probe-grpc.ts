import type { ChannelCredentials, ServiceError } from '@grpc/grpc-js';
import { serverName, trustedAuthorities } from './authorities.ts';
import type { ProbeResult } from './offers/health.ts';
import type { GrpcQuestion } from './offers/model.ts';
import { type HostPort, noAnswer } from './probe.ts';

/** As grpc.health.v1 numbers them. */
const STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

/**
 * One call of grpc.health.v1.Health/Check, on a connection of its own: over HTTP/2 without TLS, or with TLS. Never
 * rejects.
 */
export async function probeGrpc(
  tls: boolean,
  { address, port }: HostPort,
  { service, host, verify }: GrpcQuestion,
  timeoutMs: number,
): Promise<ProbeResult> {
  const { Client, status } = await import('@grpc/grpc-js');
  const name = serverName(host);
  const client = new Client(
    `${address.includes(':') ? `[${address}]` : address}:${port}`,
    await credentials(tls, verify),
    {
      // A connection of another check must not be shared, nor its pause after a failure, and no proxy be asked.
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_http_proxy': 0,
      'grpc.primary_user_agent': 'cluster-registrator',
      ...(host !== null && { 'grpc.default_authority': host }),
      ...(tls && name !== null && { 'grpc.ssl_target_name_override': name }),
    },
  );
  try {
    return await new Promise((resolve) => {
      client.makeUnaryRequest(
        '/grpc.health.v1.Health/Check',
        (question: Buffer) => question,
        (answer: Buffer) => answer,
        encodeRequest(service),
        { deadline: Date.now() + timeoutMs },
        (error, answer) => {
          if (error === null) resolve(judged(readStatus(answer ?? Buffer.alloc(0))));
          else if (error.code === status.DEADLINE_EXCEEDED) resolve(noAnswer(timeoutMs));
          else resolve(failed(error, status[error.code]));
        },
      );
    });
  } finally {
    client.close();
  }
}

async function credentials(tls: boolean, verify: boolean): Promise<ChannelCredentials> {
  const { credentials: kinds } = await import('@grpc/grpc-js');
  if (!tls) return kinds.createInsecure();
  if (verify) return kinds.createFromSecureContext(await trustedAuthorities());
  return kinds.createSsl(null, null, null, { rejectUnauthorized: false });
}

function judged(status: number | null): ProbeResult {
  if (status === null) return { good: false, text: 'gRPC answer that is no health' };
  return { good: status === 1, text: `gRPC status ${STATUSES[status] ?? status}` };
}

function failed({ details }: ServiceError, code: string | undefined): ProbeResult {
  if (/ECONNREFUSED|ECONNRESET/.test(details))
    return { good: false, text: 'connection refused', refused: true };
  return { good: false, text: `gRPC error ${code ?? 'UNKNOWN'}${details === '' ? '' : `: ${details}`}` };
}

/** HealthCheckRequest: field 1 is the service's name, which is left out where it is empty. */
function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service);
  return name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name]);
}

/** Field 1 of HealthCheckResponse; 0 where it is left out, null for what cannot be read. */
function readStatus(answer: Buffer): number | null {
  if (answer.length === 0) return 0;
  return answer.length === 2 && answer[0] === 0x08 ? answer[1]! : null;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest & 127) | 128);
    rest >>= 7;
  }
  return Buffer.from([...bytes, rest]);
}
