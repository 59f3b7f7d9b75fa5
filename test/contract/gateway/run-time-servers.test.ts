import { Agent, createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandLines } from '../../../src/lib/gateway/haproxy/process/runtime.ts';
import type { Serving } from '../../../src/lib/gateway/haproxy/serving.ts';
import { translate } from '../../../src/lib/gateway/haproxy/translate/translate.ts';
import { freePort, listening } from '../../support/port.ts';
import {
  ensureHaproxy,
  optionsFor,
  type RunningHaproxy,
  runHaproxy,
  stateOf,
} from './support/haproxy-run.ts';
import { get } from './support/process.ts';

/** A server as HAProxy shows it: by column. */
type Row = Readonly<Record<string, string>>;

/** Names, numbers and times, in which two servers differ that are otherwise alike. */
const OF_ONE_SERVER = new Set([
  ...['svname', 'sid', 'srv_id', 'srv_name', 'srv_port', 'bkname/svname', 'bkid/svid', 'port', 'addr'],
  // Of a health check, which neither has; HAProxy offers no way to set it.
  'srv_check_health',
  ...['lastchg', 'lastsess', 'srv_time_since_last_change', 'downtime'],
]);
/** Measured, so never twice the same. */
const TIMES = /^(q|c|r|t)time(_max)?$|^idle_per_thr|^rate(_max)?$|^(scur|smax)$/;

let port = 0;
let running: RunningHaproxy;
let serving: Serving;
const servers: Server[] = [];
const ports: number[] = [];

beforeAll(async () => {
  ensureHaproxy();
  port = await freePort();
  for (let n = 0; n < 2; n++) {
    const server = createServer((_request, response) => response.end('ok'));
    servers.push(server);
    ports.push(await listening(server));
  }
});
afterAll(async () => {
  await running?.stop();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

/** A HAProxy with `configured`, to which `added`, otherwise the same, comes while it runs. */
async function twins(settings: object, scheme = 'http'): Promise<void> {
  await running?.stop();
  const state = (ids: readonly string[]) =>
    stateOf({
      'backends/b/backend': { Type: 'http', Settings: settings },
      ...Object.fromEntries(
        ids.map((id) => [
          `backends/b/servers/${id}`,
          { URL: `${scheme}://127.0.0.1:${ports[id === 'added' ? 1 : 0]}` },
        ]),
      ),
      'frontends/f/frontend': { Type: 'http', BackendId: 'b', Route: 'Path("/")', Settings: {} },
    });
  running = await runHaproxy((directory) => {
    const options = optionsFor(`127.0.0.1:${port}`, directory);
    serving = translate(state(['configured', 'added']), options);
    return translate(state(['configured']), options);
  });
  const server = serving.pools.get('b')?.get('added');
  if (server === undefined) throw new Error('there is no such server');
  const lines = commandLines({ kind: 'server-add', pool: 'b', name: 'added', as: 'added', server });
  for (const line of lines)
    expect((await running.command(line)).trim()).toMatch(/^(New server registered\.)?$/);
}

async function table(command: string, separator: RegExp, nameColumn: string): Promise<Map<string, Row>> {
  const text = (await running.command(command)).split('\n').filter(Boolean);
  const at = text.findIndex((line) => line.startsWith('# '));
  const columns = (text[at] ?? '').replace('# ', '').split(separator);
  const rows = text.slice(at + 1).map((line) => {
    const cells = line.split(separator);
    return Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? '']));
  });
  return new Map(rows.map((row) => [(row[nameColumn] ?? '').replace('b/', ''), row]));
}

/** The columns in which the two servers differ. */
async function differences(): Promise<string[]> {
  const tables = [
    await table('show servers conn b', / +/, 'bkname/svname'),
    await table('show servers state b', / +/, 'srv_name'),
    await table('show stat', /,/, 'svname'),
  ];
  return tables.flatMap((rows) => {
    const [configured, added] = [rows.get('configured'), rows.get('added')];
    if (configured === undefined || added === undefined) throw new Error('a server is not shown');
    return Object.keys(configured)
      .filter((column) => !OF_ONE_SERVER.has(column) && !TIMES.test(column))
      .filter((column) => configured[column] !== added[column])
      .map((column) => `${column}: ${configured[column]}, added: ${added[column]}`);
  });
}

const count = async (server: string, column: string): Promise<number> =>
  Number((await table('show stat', /,/, 'svname')).get(server)?.[column]);

describe('a server that is added at run time is like one in the configuration', () => {
  test.each([
    ['without settings', {}, 'http'],
    ['with a limit of idle connections', { KeepAlive: { MaxIdleConnsPerHost: 7, Period: '10s' } }, 'http'],
  ])('%s: in every field that HAProxy shows', async (_name, settings, scheme) => {
    await twins(settings, scheme);
    expect(await differences()).toEqual([]);
  });

  test('its connections are used again', async () => {
    await twins({});
    const agent = new Agent({ keepAlive: true, maxSockets: 4 });
    for (let round = 0; round < 100; round++)
      await Promise.all(Array.from({ length: 4 }, () => get(port, 'x', '/', agent)));
    expect(
      (await differences()).filter((line) => !/^(connect|reuse|h1_|b(in|out)|.*_cur|need_est)/.test(line)),
    ).toEqual([]);
    agent.destroy();
    for (const server of ['configured', 'added']) {
      expect(await count(server, 'stot')).toBe(200);
      expect(await count(server, 'connect')).toBeLessThanOrEqual(8);
      expect(await count(server, 'reuse')).toBeGreaterThanOrEqual(192);
    }
  });
});
