import { get as httpGet } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Running } from '../../support/cli.ts';
import { eventually } from '../../support/eventually.ts';
import { type Demo, demo, route, type Site, site } from './support/features.ts';
import { type Backend, backend, get, upgraded } from './support/process.ts';

const ODD = 'odd "quoted" \\ {name}';
let at: Site;
let gateway: Running;
let demos: Demo[];
let echoes: Backend[];

beforeAll(async () => {
  at = await site('etcd');
  demos = [await demo('v1.0'), await demo('v2.0')];
  echoes = [await backend('a'), await backend('b')];
  await Promise.all(
    ['demo-v1.0', 'demo-v2.0', 'echo-v1.0', 'echo-v2.0'].map((id) => at.run(`backend upsert -id ${id}`)),
  );
  const urls = echoes.map(({ port }) => `http://127.0.0.1:${port}`);
  await at.all(
    [`server upsert -b demo-v1.0 -id s -url ${demos[0]?.url}`],
    [`server upsert -b demo-v2.0 -id s -url ${demos[1]?.url}`],
    [`server upsert -b echo-v1.0 -id s -url ${urls[0]}`],
    [`server upsert -b echo-v2.0 -id s -url ${urls[1]}`],
    ['frontend upsert -b demo-v1.0', ...route('demo')],
    ['frontend upsert -b echo-v1.0', ...route('echo')],
    ['frontend upsert -b echo-v2.0 --route Path("/odd") --no-wait -id', ODD],
  );
  gateway = await at.start();
});

afterAll(async () => {
  await at.close();
  for (const { close } of [...demos, ...echoes]) close();
});

test('a WebSocket lives on through a switch, the loss of its server, and a reload', async () => {
  const { socket, heard } = upgraded(at.listen, 'echo.test');
  await eventually('upgraded', () => heard().endsWith('a:'));
  const still = async (word: string) => {
    socket.write(word);
    await eventually(`echoed ${word}`, () => heard().endsWith(word));
  };
  await at.run('frontend upsert -id echo -b v2.0');
  expect((await get(at.listen, 'echo.test')).body).toBe('b');
  await still('switched ');
  const { reloads } = (await at.status()).proxy;
  await at.all(['server rm -b echo-v1.0 -id s']);
  await still('removed ');
  expect((await at.status()).proxy.reloads).toBe(reloads);
  await at.all(['backend upsert -id another']);
  expect((await at.status()).proxy.reloads).toBe(reloads + 1);
  await still('reloaded ');
  expect(heard()).toMatch(/a:switched removed reloaded $/);
  socket.destroy();
});

test('a slow request that began on the old version ends there after a switch', async () => {
  const slow = at.ask('demo', { path: '/slow?ms=2000' });
  const runs = async () =>
    JSON.parse((await get(at.admin, 'admin', '/v1/top')).body).servers.some(
      (row: { backend: string; sessions: number }) => row.backend === 'demo-v1.0' && row.sessions === 1,
    );
  await eventually('it runs', runs);
  const began = performance.now();
  await at.run('frontend upsert -id demo -b v2.0');
  const json = { headers: { accept: 'application/json' } };
  const { version } = JSON.parse((await at.ask('demo', json)).body);
  const tookMs = performance.now() - began;
  const { status, body } = await slow;
  expect([version, status, JSON.parse(body).version]).toEqual(['v2.0', 200, 'v1.0']);
  expect(performance.now() - began).toBeGreaterThan(tookMs);
});

test('a streaming answer passes chunk by chunk', async () => {
  const headers = { host: 'demo.test' };
  const arrived = await new Promise<{ text: string; ms: number }[]>((resolve, reject) => {
    const parts: { text: string; ms: number }[] = [];
    const options = {
      host: '127.0.0.1',
      port: at.listen,
      path: '/stream?chunks=3&ms=300',
      headers,
      agent: false,
    };
    httpGet(options, (response) => {
      response.on('data', (part) => parts.push({ text: String(part), ms: performance.now() }));
      response.on('end', () => resolve(parts));
    }).on('error', reject);
  });
  expect(arrived.map(({ text }) => text.slice(0, 6))).toEqual(['1 of 3', '2 of 3', '3 of 3']);
  const [first, , last] = arrived;
  expect((last?.ms ?? 0) - (first?.ms ?? 0)).toBeGreaterThan(300);
});

test('log set_severity changes what a running gateway logs', async () => {
  const set = async (severity: string) => {
    await at.run(`log set_severity -s ${severity}`);
    await eventually(severity, async () => (await at.status()).severity === severity);
  };
  const said = async (line: string, ...more: string[]) => {
    const before = gateway.log().length;
    await at.all([line, ...more]);
    return gateway.log().slice(before);
  };
  expect(gateway.log()).not.toContain('debug:');
  await set('debug');
  expect((await at.run('log get_severity')).stdout).toBe('OK: severity: debug\n');
  const rewrite = 'rewrite upsert -f demo --regexp x --replacement {{x}} -id';
  const loud = await said(`${rewrite} r1`);
  expect(loud).toMatch(/^debug: revision \d+ is live after [\d.]+ ms: \w+/m);
  expect(loud).toMatch(/^warning: left out: rewrite r1 of frontend demo: of templates/m);
  await set('error');
  expect(await said(`${rewrite} r2`)).toBe('');
});

test('top, and what Prometheus reads', async () => {
  const counts = async () => {
    const { body } = await get(at.admin, 'admin', '/metrics');
    return new Map(prometheus(body));
  };
  const odd = `cluster_frontend_requests_total{frontend="${ODD.replace(/[\\"]/g, '\\$&')}"}`;
  const server = 'cluster_server_requests_total{backend="echo-v2.0",server="s"}';
  const before = await counts();
  for (let n = 0; n < 5; n++) expect((await get(at.listen, 'any', '/odd')).status).toBe(200);
  expect((await get(at.listen, 'any', '/odd?status=500')).status).toBe(500);
  await eventually('counted', async () => ((await counts()).get(odd) ?? 0) >= (before.get(odd) ?? 0) + 6);
  const after = await counts();
  expect((after.get(server) ?? 0) - (before.get(server) ?? 0)).toBe(6);
  expect(after.get('cluster_gateway_haproxy_up')).toBe(1);
  const top = JSON.parse((await at.run('top --refresh 0 --json')).stdout);
  const row = top.frontends.find(({ object }: { object: { Id: string } }) => object.Id === ODD);
  expect(row.figures).toMatchObject({ id: ODD, backend: 'echo-v2.0', serverErrors: 1 });
  expect(row.figures.requests).toBe(after.get(odd));
});

/** The text format, line by line, as strictly as its description is. */
function prometheus(text: string): [string, number][] {
  const label = '[a-zA-Z_]\\w*="(?:[^"\\\\\\n]|\\\\[\\\\"n])*"';
  const sample = new RegExp(
    `^([a-zA-Z_:][\\w:]*)(\\{${label}(?:,${label})*\\})? (-?\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?)$`,
  );
  const types = new Map<string, string>();
  const seen = new Set<string>();
  return text
    .trimEnd()
    .split('\n')
    .flatMap((line): [string, number][] => {
      const [, name = '', type = ''] = /^# TYPE (\S+) (counter|gauge)$/.exec(line) ?? [];
      if (name !== '') expect(types.has(name), line).toBe(false);
      if (name !== '') types.set(name, type);
      if (line.startsWith('# ')) return [];
      const found = sample.exec(line);
      expect(found, line).not.toBeNull();
      const [, metric = '', labels = '', value] = found ?? [];
      expect(types.get(metric), line).toBe(metric.endsWith('_total') ? 'counter' : 'gauge');
      expect(seen.has(metric + labels), line).toBe(false);
      seen.add(metric + labels);
      return [[metric + labels, Number(value)]];
    });
}
