import type { Top, TopRow } from './top.ts';

interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  /** Its values, with a label each where there are several; null = not known. */
  readonly samples: (row: TopRow) => readonly (readonly [number | null, Labels?])[];
}

type Labels = Readonly<Record<string, string>>;

const METRICS: readonly Metric[] = [
  { name: 'requests_total', type: 'counter', help: 'Requests', samples: (row) => [[row.requests]] },
  {
    name: 'responses_total',
    type: 'counter',
    help: 'Answers by class of status',
    samples: (row) => [
      [row.ok, { code: 'ok' }],
      [row.clientErrors, { code: '4xx' }],
      [row.serverErrors, { code: '5xx' }],
    ],
  },
  {
    name: 'network_errors_total',
    type: 'counter',
    help: 'Failed connections and answers',
    samples: (row) => [[row.networkErrors]],
  },
  { name: 'sessions', type: 'gauge', help: 'Requests in progress', samples: (row) => [[row.sessions]] },
  {
    name: 'latency_seconds',
    type: 'gauge',
    help: 'Average over the last 1024 requests',
    samples: (row) => [[row.latencyMs === null ? null : row.latencyMs / 1000]],
  },
];

/** Counters start from zero when the proxy is reloaded, as Prometheus expects of a counter. */
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
    for (const { name, type, help, samples } of METRICS) {
      // These are measured at the servers, so they belong to the backend.
      if (kind === 'frontend' && /^(network|latency)/.test(name)) continue;
      const full = `cluster_${kind}_${name}`;
      lines.push(`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`);
      for (const row of rows) {
        const own = kind === 'server' ? { backend: row.backend ?? '', server: row.id } : { [kind]: row.id };
        for (const [value, more] of samples(row))
          if (value !== null) lines.push(`${full}{${labelText({ ...own, ...more })}} ${value}`);
      }
    }
  }
  return `${lines.join('\n')}\n`;
}

function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`)
    .join(',');
}
