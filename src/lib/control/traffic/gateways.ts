import { request } from 'node:http';
import { hostname } from 'node:os';
import type { Duplex } from 'node:stream';
import { ClusterError, EXIT } from '../../error.ts';
import {
  type GatewayStatus,
  machineName,
  readAddress,
  sumRows,
  type Top,
  type TopRow,
} from '../../gateway/index.ts';
import type { GatewayRecord, RegistryState } from '../../registry/index.ts';
import type { Session } from '../session.ts';

/** One gateway's answer, or why there is none. */
export type GatewayAnswer<Value> =
  | { readonly gateway: GatewayRecord; readonly value: Value }
  | { readonly gateway: GatewayRecord; readonly error: ClusterError };

const ANSWER_MS = 5000;

export function gatewayStatuses(session: Session): Promise<GatewayAnswer<GatewayStatus>[]> {
  return askGateways<GatewayStatus>(session, '/v1/status');
}

/** The figures of all gateways together, busiest first, and errors of those that did not answer. */
export async function gatewayTop(
  session: Session,
): Promise<{ top: Top; gateways: number; errors: ClusterError[] }> {
  const answers = await askGateways<Top>(session, '/v1/top');
  const tops = answers.flatMap((answer) => ('value' in answer ? [answer.value] : []));
  const sum = (rows: (top: Top) => readonly TopRow[]): TopRow[] => {
    const all = new Map<string, TopRow>();
    for (const row of tops.flatMap(rows)) {
      const key = `${row.backend ?? ''}/${row.id}`;
      const known = all.get(key);
      all.set(key, known === undefined ? row : sumRows(known, row));
    }
    return [...all.values()].sort(
      (a, b) => b.perSecond - a.perSecond || b.requests - a.requests || (a.id < b.id ? -1 : 1),
    );
  };
  return {
    top: {
      frontends: sum((top) => top.frontends),
      backends: sum((top) => top.backends),
      servers: sum((top) => top.servers),
    },
    gateways: tops.length,
    errors: answers.flatMap((answer) => ('error' in answer ? [answer.error] : [])),
  };
}

/** Asks all registered gateways in parallel; one that does not answer never hides the others. */
async function askGateways<Value>(session: Session, path: string): Promise<GatewayAnswer<Value>[]> {
  const gateways = [...(await (await session.gateways()).load()).gateways.values()];
  if (gateways.length === 0)
    throw new ClusterError('no-gateways', 'no gateway is running', {
      hint: 'cluster start units/gateway.service, or cluster gateway on a machine',
    });
  const [state, here] = await Promise.all([session.state(), machineName()]);
  return Promise.all(
    gateways
      .sort((a, b) => (a.hostname < b.hostname ? -1 : 1))
      .map(async (gateway): Promise<GatewayAnswer<Value>> => {
        try {
          return { gateway, value: await ask<Value>(session, state, gateway, here, path) };
        } catch (error) {
          return { gateway, error: named(gateway, error) };
        }
      }),
  );
}

async function ask<Value>(
  session: Session,
  state: RegistryState,
  gateway: GatewayRecord,
  here: string,
  path: string,
): Promise<Value> {
  const { host, port } = readAddress(gateway.admin);
  const record = state.machines.get(gateway.machine);
  if (gateway.machine === here || (record === undefined && gateway.hostname === hostname()))
    return fetchJson<Value>(host, port, path);
  if (record === undefined)
    throw new ClusterError('unknown-machine', `no machine ${gateway.machine.slice(0, 8)} is registered`, {
      hint: `cluster machine add root@${gateway.address ?? gateway.hostname}`,
      exit: EXIT.machine,
    });
  const machine = await session.machine(record);
  return fetchJson<Value>(host, port, path, await machine.forward({ host, port }));
}

/** Gets JSON, over an open stream or a new connection. */
function fetchJson<Value>(host: string, port: number, path: string, stream?: Duplex): Promise<Value> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host,
        port,
        path,
        headers: { connection: 'close' },
        // Node uses createConnection only if no agent is given.
        ...(stream ? { createConnection: () => stream } : { agent: false }),
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          text += part;
        });
        response.on('error', reject);
        response.on('end', () => {
          stream?.destroy();
          if (response.statusCode !== 200)
            return reject(new Error(`it answers ${response.statusCode}: ${text.trim()}`));
          try {
            resolve(JSON.parse(text));
          } catch {
            reject(new Error('it does not answer in JSON'));
          }
        });
      },
    );
    // An SSH channel is not a socket, so the request's own timeout does not work on it.
    const late = () => sent.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`));
    const timer = setTimeout(late, ANSWER_MS);
    sent.on('close', () => clearTimeout(timer));
    sent.on('error', reject);
    sent.end();
  });
}

function named({ machine, hostname: name }: GatewayRecord, error: unknown): ClusterError {
  if (error instanceof ClusterError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new ClusterError('gateway-unreachable', `the gateway on ${name} does not answer: ${why}`, {
    machine,
    hint: 'cluster journal gateway.service',
    exit: EXIT.machine,
  });
}
