import type { Top, TopRow } from './stats.ts';

interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly value: (row: TopRow) => number | null;
  readonly labels?: Readonly<Record<string, string>>;
}

const METRICS: readonly Metric[] = [
  { name: 'requests_total', type: 'counter', help: 'Requests', value: (row) => row.requests },
  {
    name: 'responses_total',
    type: 'counter',
    help: 'Answers by class of status',
    value: (row) => row.ok,
    labels: { code: 'ok' },
  },
  {
    name: 'responses_total',
    type: 'counter',
    help: 'Answers by class of status',
    value: (row) => row.clientErrors,
    labels: { code: '4xx' },
  },
  {
    name: 'responses_total',
    type: 'counter',
    help: 'Answers by class of status',
    value: (row) => row.serverErrors,
    labels: { code: '5xx' },
  },
  {
    name: 'network_errors_total',
    type: 'counter',
    help: 'Failed connections and answers',
    value: (row) => row.networkErrors,
  },
  { name: 'sessions', type: 'gauge', help: 'Requests that run now', value: (row) => row.sessions },
  {
    name: 'latency_seconds',
    type: 'gauge',
    help: 'Average over the last 1024 requests',
    value: (row) => (row.latencyMs === null ? null : row.latencyMs / 1000),
  },
];

/** Counters start anew when HAProxy is reloaded, as Prometheus expects of a counter. */
export function prometheusText(top: Top, gateway: Readonly<Record<string, number>>): string {
  const lines: string[] = [];
  for (const [name, value] of Object.entries(gateway))
    lines.push(`# TYPE cluster_gateway_${name} gauge`, `cluster_gateway_${name} ${value}`);
  const kinds: [string, readonly TopRow[]][] = [
    ['frontend', top.frontends],
    ['backend', top.backends],
    ['server', top.servers],
  ];
  for (const [kind, rows] of kinds) {
    const seen = new Set<string>();
    for (const { name, type, help, value, labels } of METRICS) {
      // What a frontend's servers do is told of its backend.
      if (kind === 'frontend' && /^(network|latency)/.test(name)) continue;
      const full = `cluster_${kind}_${name}`;
      if (!seen.has(name)) lines.push(`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`);
      seen.add(name);
      for (const row of rows) {
        const number = value(row);
        const own = kind === 'server' ? { backend: row.backend ?? '', server: row.id } : { [kind]: row.id };
        if (number !== null) lines.push(`${full}{${labelText({ ...own, ...labels })}} ${number}`);
      }
    }
  }
  return `${lines.join('\n')}\n`;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`)
    .join(',');
}
