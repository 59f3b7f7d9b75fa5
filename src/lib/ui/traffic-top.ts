import type { TrafficTop } from '../control/traffic/top.ts';
import { trafficTable } from './traffic.ts';

type Figures = TrafficTop['frontends'][number]['figures'];

/** vctl's two tables; latency is an average, which is what gateways measure. */
export function topText({ frontends, servers }: TrafficTop): string {
  const names = ['Avg[ms]', 'Status codes %', 'Net. errors %'];
  return (
    trafficTable(
      'Frontend',
      ['Id', 'Route', 'R/sec', ...names],
      frontends.map(({ object: { Id, Route }, figures }) => [Id, Route, ...cells(figures)]),
    ) +
    trafficTable(
      'Servers',
      ['Id', 'URL', 'Reqs/sec', ...names, 'Messages'],
      servers.map(({ object: { Id, URL }, figures }) => [
        Id,
        URL,
        ...cells(figures),
        figures === null || figures.isUp ? '' : figures.state,
      ]),
    )
  );
}

function cells(figures: Figures): string[] {
  if (figures === null) return ['-', '-', '', '-'];
  const { perSecond, latencyMs, requests, networkErrors } = figures;
  return [
    perSecond.toFixed(1),
    latencyMs === null ? '-' : latencyMs.toFixed(2),
    codes(figures),
    (requests === 0 ? 0 : (100 * networkErrors) / requests).toFixed(2),
  ];
}

function codes({ ok, clientErrors, serverErrors }: NonNullable<Figures>): string {
  const counts = { '2xx,3xx': ok ?? 0, '4xx': clientErrors ?? 0, '5xx': serverErrors ?? 0 };
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return Object.entries(counts)
    .flatMap(([name, count]) => (count === 0 ? [] : [`${name}: ${((100 * count) / all).toFixed(2)}`]))
    .join(', ');
}
