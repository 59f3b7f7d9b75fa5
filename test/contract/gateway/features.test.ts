import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { repeat, route, type Site, type SmallServer, site, smallServer, told } from './support/features.ts';
import type { Asking } from './support/haproxy-run.ts';

let at: Site;
const servers: Record<string, SmallServer> = {};
/** What a server of this name does instead of saying who it is and what it was asked. */
const doings: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {};

const whoAnswers = async (times: number, name: string, asking?: Asking) => {
  const names = (await repeat(times, () => at.ask(name, asking))).map((answer) => told(answer).name);
  return Object.fromEntries([...new Set(names)].sort().map((n) => [n, names.filter((m) => m === n).length]));
};
const server = (backend: string, name: string, more = ''): [string] => [
  `server upsert -b ${backend} -id ${name} -url ${servers[name]?.url}${more}`,
];

beforeAll(async () => {
  at = await site('embedded');
  for (const name of ['one', 'two', 'three'])
    servers[name] = await smallServer((request, response) => {
      const { method, url, headers } = request;
      const doing = doings[name];
      if (doing !== undefined) doing(request, response);
      else response.end(JSON.stringify({ name, method, url, headers }));
    });
  await Promise.all(
    ['app', 'pair', 'empty', 'uneven', 'sticky --sticky-cookie SRV'].map((id) =>
      at.run(`backend upsert -id ${id}`),
    ),
  );
  await at.all(
    server('app', 'one'),
    server('pair', 'one'),
    server('pair', 'two'),
    server('uneven', 'one', ' --weight 3'),
    server('uneven', 'two'),
    server('sticky', 'one'),
    server('sticky', 'two'),
  );
  await at.all(
    ['frontend upsert -b pair', ...route('even')],
    ['frontend upsert -b uneven', ...route('uneven')],
    ['frontend upsert -b sticky', ...route('sticky')],
    ['frontend upsert -b empty', ...route('empty')],
    ['frontend upsert -b app --max-body-kb 1', ...route('small')],
    ['frontend upsert -b app --trust-forward-header --forward-host edge', ...route('trusting')],
    ['frontend upsert -b pair --failover-predicate', 'IsNetworkError() && Attempts() < 2', ...route('again')],
  );
  await at.start();
});

afterEach(() => {
  for (const name of Object.keys(doings)) delete doings[name];
});

afterAll(async () => {
  await at.close();
  for (const { close } of Object.values(servers)) close();
});

test('404 and 503 as vulcand says them', async () => {
  const seen = async (name: string) => {
    const { status, headers, body } = await at.ask(name);
    return [status, headers['content-type'], body];
  };
  expect(await seen('nowhere')).toEqual([404, 'application/json', '{"error":"not found"}']);
  expect(await seen('empty')).toEqual([503, 'application/json', '{"error":"no server"}']);
});

test('servers in turn, by weight, and a weight that changes while it runs', async () => {
  expect(await whoAnswers(4, 'even')).toEqual({ one: 2, two: 2 });
  expect(await whoAnswers(8, 'uneven')).toEqual({ one: 6, two: 2 });
  const { reloads } = (await at.status()).proxy;
  await at.all(['server upsert -b uneven -id one --weight 0']);
  expect(await whoAnswers(4, 'uneven')).toEqual({ two: 4 });
  await at.all(['server upsert -b uneven -id one --weight 1'], server('uneven', 'three'));
  expect(Object.keys(await whoAnswers(9, 'uneven'))).toEqual(['one', 'three', 'two']);
  expect((await at.status()).proxy.reloads).toBe(reloads);
});

test('a sticky cookie keeps a client at its server, also at one that came while it ran', async () => {
  await at.all(server('sticky', 'three'));
  const cookies = new Map<string, string>();
  for (const answer of await repeat(6, () => at.ask('sticky')))
    cookies.set(told(answer).name, answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '');
  expect([...cookies.keys()].sort()).toEqual(['one', 'three', 'two']);
  for (const [name, cookie] of cookies)
    expect(await whoAnswers(3, 'sticky', { headers: { cookie } })).toEqual({ [name]: 3 });
});

test('a GET is tried on another server when one hangs up, a POST is not, unless a predicate says so', async () => {
  doings.one = ({ socket }) => socket.destroy();
  expect(await at.statuses(4, 'even')).toEqual([200, 200, 200, 200]);
  const post = { method: 'POST', body: 'x' };
  const posted = await at.statuses(4, 'even', post);
  expect(posted.sort()).toEqual([200, 200, 502, 502]);
  expect(await at.statuses(4, 'again', post)).toEqual([200, 200, 200, 200]);
});

test('a connection that is refused is tried on another server for POST too', async () => {
  const dead = await smallServer(() => undefined);
  dead.close();
  await at.all(['server upsert -b pair -id dead', '-url', dead.url]);
  expect(await at.statuses(6, 'even', { method: 'POST', body: 'x' })).toEqual(Array(6).fill(200));
  await at.all(['server rm -b pair -id dead']);
});

test('413 over the body limit', async () => {
  const post = (length: number, chunked: boolean) =>
    at.statuses(1, 'small', { method: 'POST', body: 'x'.repeat(length), chunked });
  expect([await post(1024, false), await post(1024, true)]).toEqual([[200], [200]]);
  expect([await post(1025, false), await post(1025, true)]).toEqual([[413], [413]]);
});

test('X-Forwarded-*: replaced, or completed for a frontend that trusts', async () => {
  const claimed = {
    'x-forwarded-for': '6.6.6.6',
    'x-forwarded-proto': 'gopher',
    'x-forwarded-host': 'evil',
  };
  const plain = told(await at.ask('even', { headers: claimed })).headers;
  expect(plain).toMatchObject({
    host: 'even.test',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': 'even.test',
    'x-forwarded-port': '80',
  });
  const several = {
    'x-forwarded-for': ['a, b', 'c'],
    'x-forwarded-proto': ['d, e', 'f'],
    'x-forwarded-host': 'g',
  };
  const trusted = told(await at.ask('trusting', { headers: several })).headers;
  expect(trusted).toMatchObject({
    'x-forwarded-for': 'a, b, c, 127.0.0.1',
    'x-forwarded-proto': 'd, e, f',
    'x-forwarded-host': 'g',
    'x-forwarded-server': 'edge',
  });
});
