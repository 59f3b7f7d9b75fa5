import { decodeName, readBackendName } from './names.ts';
import { withoutAlias } from './process/runtime.ts';

/** One line of `gateway top`: a frontend, a backend or a server, on one gateway. */
export interface TopRow {
  readonly id: string;
  /** Of a server: its backend. */
  readonly backend: string | null;
  /** Requests per second, over the last second or so. */
  readonly perSecond: number;
  readonly requests: number;
  /** Average over the last 1024 requests, milliseconds; null where HAProxy does not say. */
  readonly latencyMs: number | null;
  /** Answers by their first digit, since HAProxy's last reload; null where HAProxy does not say. */
  readonly ok: number | null;
  readonly clientErrors: number | null;
  readonly serverErrors: number | null;
  /** Failed connections and answers. */
  readonly networkErrors: number;
  readonly sessions: number;
  /** Of a server: UP, MAINT, no check. */
  readonly state: string;
  readonly address: string;
  readonly weight: number | null;
}

export interface Top {
  readonly frontends: readonly TopRow[];
  readonly backends: readonly TopRow[];
  readonly servers: readonly TopRow[];
}

/** A cell of one line by its column's name; '' for what is not there. */
type Cells = (name: string) => string;

/** `show stat`: a header line that begins with `# `, then one line for each proxy and server. */
export function readCsv(text: string): Cells[] {
  const [head = '', ...lines] = text.split('\n');
  const columns = new Map(
    head
      .replace(/^# /, '')
      .split(',')
      .map((name, index) => [name, index]),
  );
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const cells = splitLine(line);
      return (name) => cells[columns.get(name) ?? -1] ?? '';
    });
}

function splitLine(line: string): string[] {
  if (!line.includes('"')) return line.split(',');
  return [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)].map(([, cell = '']) =>
    cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell,
  );
}

/** Counters of the frontends' stick table, by frontend id. Rates are of the time that the table names, in ms. */
export function readTable(text: string): Map<string, ReadonlyMap<string, number>> {
  const rows = new Map<string, ReadonlyMap<string, number>>();
  for (const line of text.split('\n')) {
    const match = /^0x[0-9a-f]+: key=(.*?) use=\d+ exp=\d+ (?:shard=\d+ )?(.*)$/.exec(line.trim());
    if (match === null) continue;
    const [, key = '', counters = ''] = match;
    const values = new Map<string, number>();
    for (const [, name = '', period, value] of counters.matchAll(/(\w+)(?:\((\d+)\))?=(-?\d+)/g))
      values.set(name, period === undefined ? Number(value) : (Number(value) * 1000) / Number(period));
    rows.set(decodeName(readKey(key)), values);
  }
  return rows;
}

/** HAProxy prints odd characters of a key as `\xHH`, and blanks and backslashes after a backslash. */
function readKey(key: string): string {
  const bytes: number[] = [];
  for (const [unit] of key.matchAll(/\\x[0-9a-fA-F]{2}|\\.|[^\\]/gs)) {
    if (unit.length === 4 && unit.startsWith('\\x')) bytes.push(Number.parseInt(unit.slice(2), 16));
    else bytes.push(...Buffer.from(unit.startsWith('\\') ? unit.slice(1) : unit));
  }
  return Buffer.from(bytes).toString();
}

/**
 * What a gateway does, from HAProxy's statistics. HAProxy backends that stand for the same backend are one row.
 * @param names of the registry: HAProxy's own proxies are not among them.
 */
export function topOf(
  stat: string,
  table: string,
  names: { readonly frontends: ReadonlyMap<string, string>; readonly backends: ReadonlySet<string> },
): Top {
  const backends = new Map<string, TopRow>();
  const servers = new Map<string, TopRow>();
  for (const cells of readCsv(stat)) {
    const proxy = cells('pxname');
    const server = cells('svname');
    if (server === 'FRONTEND') continue;
    const { id } = readBackendName(proxy);
    if (!names.backends.has(id)) continue;
    if (server === 'BACKEND') merge(backends, id, rowOf(cells, id, null));
    else {
      const name = decodeName(withoutAlias(server));
      merge(servers, `${id}/${name}`, rowOf(cells, name, id));
    }
  }
  const counters = readTable(table);
  const frontends = [...names.frontends].map(([id, backend]) =>
    frontendRow(id, counters.get(id), backends.get(backend)),
  );
  return { frontends, backends: [...backends.values()], servers: [...servers.values()] };
}

function rowOf(cells: Cells, id: string, backend: string | null): TopRow {
  const number = (name: string): number => Number(cells(name) || 0);
  const latency = cells('ttime');
  return {
    id,
    backend,
    perSecond: number('rate'),
    requests: number('stot'),
    latencyMs: latency === '' || number('stot') === 0 ? null : Number(latency),
    ok: number('hrsp_1xx') + number('hrsp_2xx') + number('hrsp_3xx'),
    clientErrors: number('hrsp_4xx'),
    serverErrors: number('hrsp_5xx'),
    networkErrors: number('econ') + number('eresp'),
    sessions: number('scur'),
    state: cells('status'),
    address: cells('addr'),
    weight: cells('weight') ? number('weight') : null,
  };
}

function frontendRow(
  id: string,
  counters: ReadonlyMap<string, number> | undefined,
  backend: TopRow | undefined,
): TopRow {
  const value = (name: string): number => counters?.get(name) ?? 0;
  const requests = value('http_req_cnt');
  const clientErrors = value('http_err_cnt');
  const serverErrors = value('http_fail_cnt');
  return {
    id,
    backend: backend?.id ?? null,
    perSecond: round(value('http_req_rate')),
    requests,
    latencyMs: backend?.latencyMs ?? null,
    ok: Math.max(0, requests - clientErrors - serverErrors),
    clientErrors,
    serverErrors,
    networkErrors: backend?.networkErrors ?? 0,
    sessions: value('conn_cur'),
    state: '',
    address: '',
    weight: null,
  };
}

function merge(rows: Map<string, TopRow>, key: string, row: TopRow): void {
  const old = rows.get(key);
  rows.set(key, old === undefined ? row : sumRows(old, row));
}

/** The same thing twice (in two HAProxy backends, or on two gateways): counters add up, latencies are weighed. */
export function sumRows(a: TopRow, b: TopRow): TopRow {
  const add = (x: number | null, y: number | null): number | null =>
    x === null && y === null ? null : (x ?? 0) + (y ?? 0);
  const weight = a.requests + b.requests;
  const latency =
    a.latencyMs === null || b.latencyMs === null
      ? (a.latencyMs ?? b.latencyMs)
      : round((a.latencyMs * a.requests + b.latencyMs * b.requests) / Math.max(1, weight));
  return {
    ...a,
    perSecond: round(a.perSecond + b.perSecond),
    requests: weight,
    latencyMs: latency,
    ok: add(a.ok, b.ok),
    clientErrors: add(a.clientErrors, b.clientErrors),
    serverErrors: add(a.serverErrors, b.serverErrors),
    networkErrors: a.networkErrors + b.networkErrors,
    sessions: a.sessions + b.sessions,
  };
}

const round = (value: number): number => Math.round(value * 10) / 10;
