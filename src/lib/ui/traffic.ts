import type { BackendCard, FrontendCard } from '../control/traffic/lists.ts';
import { printable } from '../printable.ts';
import type { SwitchRecord } from '../registry/index.ts';
import type { Backend, Frontend, Host, Listener, Middleware, Server } from '../traffic/index.ts';
import { middlewareSettings } from './middleware-settings.ts';

/** Blanks after the widest cell of a column, as in vctl's tables. */
const GAP = 5;

/** vctl's table: an empty line, the title, a header, rows; the last column is not padded. */
export function trafficTable(
  title: string,
  columns: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const all = [columns, ...rows.map((row) => row.map(printable))];
  const widths = columns.map((_, at) => Math.max(...all.map((row) => (row[at] ?? '').length)) + GAP);
  const lines = all.map((row) =>
    row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join(''),
  );
  return `\n[${title}]\n${lines.join('\n')}\n`;
}

export function backendsTable(backends: readonly Backend[], title = 'Backends'): string {
  return trafficTable(
    title,
    ['Id', 'Type'],
    backends.map(({ Id, Type }) => [Id, Type]),
  );
}

/** Weights are shown where any differs from 1, which vctl does not know. */
export function serversTable(servers: readonly Server[], title = 'Servers'): string {
  const weighted = servers.some(({ Weight }) => Weight !== 1);
  return trafficTable(
    title,
    ['Id', 'URL', ...(weighted ? ['Weight'] : [])],
    servers.map(({ Id, URL, Weight }) => [Id, URL, ...(weighted ? [String(Weight)] : [])]),
  );
}

export function frontendsTable(frontends: readonly Frontend[], title = 'Frontends'): string {
  return trafficTable(
    title,
    ['Id', 'Route', 'Backend', 'Type'],
    frontends.map(({ Id, Route, BackendId, Type }) => [Id, Route, BackendId, Type]),
  );
}

export function hostsTable(hosts: readonly Host[], title = 'Hosts'): string {
  return trafficTable(
    title,
    ['Name', 'Default'],
    hosts.map(({ Name, Settings }) => [Name, String(Settings.Default)]),
  );
}

/** vctl has the same title for one. What clients must show is a column where any must, which vctl does not know. */
export function listenersTable(listeners: readonly Listener[]): string {
  const asking = listeners.some(({ ClientAuth }) => ClientAuth !== null);
  return trafficTable(
    'Listeners',
    [
      'Id',
      'Protocol',
      'Network',
      'Address',
      'Scope',
      'ProxyProtocol',
      ...(asking ? ['Client certificates'] : []),
    ],
    listeners.map(({ Id, Protocol, Address, Scope, ProxyProtocol, ClientAuth }) => [
      Id,
      Protocol,
      Address.Network,
      Address.Address,
      Scope,
      ProxyProtocol,
      ...(asking ? [ClientAuth?.Mode ?? 'none'] : []),
    ]),
  );
}

export function backendCard({ Servers, ...backend }: BackendCard): string {
  return backendsTable([backend], 'Backend') + serversTable(Servers);
}

export function frontendCard({ Middlewares, ...frontend }: FrontendCard): string {
  return frontendsTable([frontend], 'Frontend') + middlewaresTable(Middlewares);
}

function middlewaresTable(middlewares: readonly Middleware[]): string {
  return trafficTable(
    'Middlewares',
    ['Id', 'Priority', 'Type', 'Settings'],
    middlewares.map((middleware) => [
      middleware.Id,
      String(middleware.Priority),
      middleware.Type,
      middlewareSettings(middleware),
    ]),
  );
}

export function historyTable(switches: readonly SwitchRecord[]): string {
  return trafficTable(
    'Switches',
    ['When', 'Who', 'Frontend', 'From', 'To'],
    switches.map(({ when, who, frontend, from, to }) => [when, who, frontend, from ?? '-', to]),
  );
}
