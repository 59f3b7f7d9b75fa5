import type { GatewayAnswer } from '../control/traffic/gateways.ts';
import type { GatewayStatus, Top, TopRow } from '../gateway/index.ts';
import { printable } from '../printable.ts';
import type { GatewayRecord } from '../registry/index.ts';
import { machineId } from './format.ts';
import { renderTable } from './table.ts';

/** One line for each gateway, then what they leave out or serve differently. */
export function gatewayTable(answers: readonly GatewayAnswer<GatewayStatus>[]): string {
  const rows = answers.map((answer) => {
    const { machine, revision } = answer.gateway;
    const where = [machineId(machine, machine.length <= 12), nameOf(answer.gateway, answers)];
    if ('error' in answer) return [...where, 'unreachable', '-', String(revision), '-', '-', '-'];
    // Gateways of earlier releases do not report one.
    const proxy: GatewayStatus['proxy'] | undefined = answer.value.proxy;
    const { failing, storeConnected, lastChangeMs, ...status } = answer.value;
    const state = proxy?.pid === null ? 'down' : failing === null ? 'serving' : 'failing';
    return [
      ...where,
      state,
      proxy === undefined ? '-' : `${proxy.name} ${proxy.version ?? '-'}`,
      String(status.revision),
      String(proxy?.reloads ?? '-'),
      `${lastChangeMs} ms`,
      storeConnected ? 'connected' : 'away',
    ];
  });
  const columns = ['machine', 'hostname', 'state', 'proxy', 'revision', 'reloads', 'last change', 'registry'];
  return `${renderTable(columns, rows, true)}${remarks(answers)}`;
}

/** A host name, with the gateway's own address where its machine has several. */
function nameOf(
  { machine, hostname, admin }: GatewayRecord,
  answers: readonly GatewayAnswer<GatewayStatus>[],
): string {
  const several = answers.filter(({ gateway }) => gateway.machine === machine).length > 1;
  return several ? `${hostname} (${admin})` : hostname;
}

/** Gateways of the same registry mostly have the same remarks: each is printed once. */
function remarks(answers: readonly GatewayAnswer<GatewayStatus>[]): string {
  const lines = new Set<string>();
  for (const answer of answers) {
    if (!('value' in answer)) continue;
    const { hostname, failing, breakers, leftOut, notes } = answer.value;
    const { draining = [] } = answer.value.proxy ?? {};
    if (draining.length > 0) lines.add(`${hostname}: ${drainingLine(draining)}`);
    if (failing !== null) lines.add(`${hostname}: ${failing}`);
    for (const { frontend, middleware, state } of breakers)
      if (state !== 'standby')
        lines.add(`${hostname}: circuit breaker ${middleware} of ${frontend}: ${state}`);
    for (const { object, message } of leftOut) lines.add(`left out: ${object}: ${message}`);
    for (const { object, message } of notes) lines.add(`${object}: ${message}`);
  }
  return lines.size === 0 ? '' : `\n${[...lines].map((line) => `${printable(line)}\n`).join('')}`;
}

function drainingLine(draining: NonNullable<GatewayStatus['proxy']['draining']>): string {
  const oldest = draining.map(({ since }) => since).sort()[0];
  const many =
    draining.length === 1 ? '1 HAProxy worker finishes' : `${draining.length} HAProxy workers finish`;
  return `${many} connections from before a reload, the oldest since ${oldest}`;
}

/** Frontends and servers, the busiest first; `limit` 0 = all. */
export function topTables({ frontends, servers }: Top, limit: number): string {
  const cut = (rows: readonly TopRow[]): readonly TopRow[] => (limit > 0 ? rows.slice(0, limit) : rows);
  const figures = (row: TopRow): string[] => [
    String(row.perSecond),
    row.latencyMs === null ? '-' : String(row.latencyMs),
    String(row.requests),
    ...[row.ok, row.clientErrors, row.serverErrors].map((value) => (value === null ? '-' : String(value))),
    String(row.networkErrors),
    String(row.sessions),
  ];
  const names = ['r/sec', 'avg[ms]', 'requests', '2xx,3xx', '4xx', '5xx', 'net. errors', 'running'];
  const front = cut(frontends).map((row) => [row.id, row.backend ?? '-', ...figures(row)]);
  const back = cut(servers).map((row) => [
    row.id,
    row.backend ?? '-',
    row.address,
    row.state,
    ...figures(row),
  ]);
  return [
    `[Frontends]\n${renderTable(['id', 'backend', ...names], front, true)}`,
    `[Servers]\n${renderTable(['id', 'backend', 'address', 'state', ...names], back, true)}`,
  ].join('\n');
}
