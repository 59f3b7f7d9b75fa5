import { createSocket } from 'node:dgram';
import type { RequestListener, ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { repeat, route, type Site, type SmallServer, site, smallServer, told } from './support/features.ts';

let at: Site;
let hookServer: SmallServer;
/** The only server; `doing` is what it does instead of saying what it was asked. */
const app: { server?: SmallServer; doing?: RequestListener | undefined } = {};
const BREAKER = '--fallback-duration 500ms --recovery-duration 300ms --check-period 20ms --condition';
const breaking = (name: string, fallback: object, ...more: string[]): [string, ...string[]] => [
  `cbreaker upsert -f ${name} -id cb ${BREAKER}`,
  'ResponseCodeRatio(500, 600, 0, 600) > 0.5',
  '--fallback',
  JSON.stringify(fallback),
  ...more,
];
const hooks: string[] = [];
const lines: string[] = [];
const syslog = createSocket('udp4');

beforeAll(async () => {
  at = await site('embedded');
  app.server = await smallServer((request, response) => {
    if (app.doing !== undefined) return app.doing(request, response);
    response.end(JSON.stringify({ name: 'one', url: request.url, headers: request.headers }));
  });
  await at.run('backend upsert -id app');
  await at.run('server upsert -b app -id one -url', app.server.url);
  hookServer = await smallServer((request, response) => {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', () =>
      hooks.push(`${request.method} ${request.url} ${request.headers['x-key']} ${body}`),
    );
    response.end();
  });
  syslog.on('message', (line) => void lines.push(line.toString()));
  await new Promise<void>((resolve) => syslog.bind(0, '127.0.0.1', resolve));
  const names = ['rate', 'conn', 'rewrite', 'redirect', 'order', 'breaks', 'breaks-away', 'traced'];
  await Promise.all(names.map((name) => at.run('frontend upsert -b app', ...route(name))));
  const hook = (path: string) => {
    const Action = {
      URL: `${hookServer.url}/${path}`,
      Method: 'POST',
      Headers: { 'X-Key': ['k'] },
      Form: { a: ['b c'] },
    };
    return JSON.stringify({ Type: 'webhook', Action });
  };
  const redirect = { Type: 'redirect', Action: { URL: 'http://elsewhere.test', PreservePath: true } };
  const later = { Type: 'response', Action: { StatusCode: 418, Body: 'Come back later' } };
  const webhooks = ['--on-tripped', hook('tripped'), '--on-standby', hook('standby')];
  const { port } = syslog.address();
  const wanted = '--req-header X-Asked --req-header X-Absent --resp-header Content-Length';
  await at.start();
  await at.all(
    ['ratelimit upsert -f rate -id r --requests 1 --period 5 --burst 2'],
    ['connlimit upsert -f conn -id c --connections 1 --variable request.header.X-Client'],
    ['rewrite upsert -f rewrite -id r --regexp ^http://[^/]*/foo(.*) --replacement http://any$1'],
    [
      'rewrite upsert -f redirect -id r --redirect --regexp ^http://([^/]*)/old(.*) --replacement https://$1/new$2',
    ],
    ['ratelimit upsert -f order -id a --requests 1 --period 60 --burst 1 --priority 2'],
    ['rewrite upsert -f order -id b --regexp /old --replacement /new --redirect --priority 1'],
    breaking('breaks', later, ...webhooks),
    breaking('breaks-away', redirect),
    [`trace upsert -f traced -id t --addr syslog://127.0.0.1:${port} ${wanted}`],
  );
});
afterEach(() => {
  app.doing = undefined;
});
afterAll(async () => {
  await at.close();
  syslog.close();
  hookServer.close();
  app.server?.close();
});

test('ratelimit', async () => {
  const answers = await repeat(3, () => at.ask('rate'));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
  expect(answers[2]?.headers['x-retry-in']).toBe('5s');
  expect(answers[2]?.body).toBe('max rate reached: retry-in 5s');
});

test('connlimit, by a header', async () => {
  const held: ServerResponse[] = [];
  app.doing = (_, response) => void held.push(response);
  const first = at.ask('conn', { headers: { 'x-client': 'a' } });
  await eventually('the first one runs', () => held.length === 1);
  const second = await at.ask('conn', { headers: { 'x-client': 'a' } });
  expect([second.status, second.body]).toEqual([429, 'max connections reached: 1']);
  const other = at.ask('conn', { headers: { 'x-client': 'b' } });
  await eventually('another client’s runs', () => held.length === 2);
  app.doing = undefined;
  for (const response of held) response.end();
  expect([(await first).status, (await other).status]).toEqual([200, 200]);
  expect(await at.statuses(1, 'conn', { headers: { 'x-client': 'a' } })).toEqual([200]);
});

test('rewrite and redirect, in the order of their priority', async () => {
  expect(told(await at.ask('rewrite', { path: '/foo/bar?a=b' })).url).toBe('/bar?a=b');
  expect(told(await at.ask('rewrite', { path: '/other' })).url).toBe('/other');
  const { status, headers } = await at.ask('redirect', { path: '/old/x?y' });
  expect([status, headers.location]).toEqual([302, 'https://redirect.test/new/x?y']);
  expect(await at.statuses(2, 'order', { path: '/old' })).toEqual([302, 302]);
  expect(await at.statuses(2, 'order')).toEqual([200, 429]);
});

test('cbreaker: trips, answers or redirects, calls its webhooks, and recovers', async () => {
  app.doing = (_, response) => void response.writeHead(500).end();
  const trips = async (name: string) => {
    expect(await at.statuses(1, name)).toEqual([500]);
    await eventually(`${name} trips`, async () => (await at.ask(name)).status !== 500);
  };
  await trips('breaks');
  const { status, body } = await at.ask('breaks');
  expect([status, body]).toEqual([418, 'Come back later']);
  await trips('breaks-away');
  const away = await at.ask('breaks-away', { path: '/kept' });
  expect([away.status, away.headers.location]).toEqual([302, 'http://elsewhere.test/kept']);
  app.doing = undefined;
  const well = async (name: string) => (await at.ask(name)).status === 200;
  const states = async () => (await at.status()).breakers.map(({ state }) => state);
  await eventually(
    'both stand by',
    async () =>
      (await states()).every((state) => state === 'standby') &&
      (await well('breaks')) &&
      (await well('breaks-away')),
    10_000,
  );
  await eventually('webhooks', () => hooks.length >= 2);
  expect([...new Set(hooks)]).toEqual(['POST /tripped k a=b+c', 'POST /standby k a=b+c']);
});

test('trace: a line of @cee: JSON for each request, with the headers that are wanted', async () => {
  await at.ask('traced', {
    path: '/p?q="1',
    method: 'PUT',
    headers: { 'x-asked': 'say "hi"', 'x-other': 'no' },
  });
  await eventually('traced', () => lines.length > 0);
  expect(lines[0]).toMatch(/^<135>\w{3} [\d ]\d \d\d:\d\d:\d\d \S+: @cee: \{/);
  const { request, response } = JSON.parse(lines[0]?.replace(/^.*@cee: /, '') ?? '');
  expect(request).toEqual({ method: 'PUT', url: '/p?q="1', headers: { 'X-Asked': ['say "hi"'] } });
  expect(response).toEqual({
    code: 200,
    roundtrip: expect.any(Number),
    headers: { 'Content-Length': [expect.stringMatching(/^\d+$/)] },
  });
  await at.ask('even');
  expect(lines.length).toBe(1);
});
