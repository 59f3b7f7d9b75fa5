import { oneDecimal, sumRows, type Top, type TopRow } from '../top.ts';
import { decodeName, readBackendName } from './names.ts';
import { withoutAlias } from './process/runtime.ts';

/** A cell of one line by its column's name; '' where there is none. */
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

/** HAProxy prints unusual characters of a key as `\xHH`, and blanks and backslashes after a backslash. */
function readKey(key: string): string {
  const bytes: number[] = [];
  for (const [unit] of key.matchAll(/\\x[0-9a-fA-F]{2}|\\.|[^\\]/gs)) {
    if (unit.length === 4 && unit.startsWith('\\x')) bytes.push(Number.parseInt(unit.slice(2), 16));
    else bytes.push(...Buffer.from(unit.startsWith('\\') ? unit.slice(1) : unit));
  }
  return Buffer.from(bytes).toString();
}

/**
 * Rows from HAProxy's statistics. HAProxy backends of the same backend are one row.
 * @param names of the registry: backends that HAProxy has for its own purposes are not among them.
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
    isUp: /^(UP|no check)/.test(cells('status')),
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
    perSecond: oneDecimal(value('http_req_rate')),
    requests,
    latencyMs: backend?.latencyMs ?? null,
    ok: Math.max(0, requests - clientErrors - serverErrors),
    clientErrors,
    serverErrors,
    networkErrors: backend?.networkErrors ?? 0,
    sessions: value('conn_cur'),
    state: '',
    isUp: true,
    address: '',
    weight: null,
  };
}

function merge(rows: Map<string, TopRow>, key: string, row: TopRow): void {
  const old = rows.get(key);
  rows.set(key, old === undefined ? row : sumRows(old, row));
}
