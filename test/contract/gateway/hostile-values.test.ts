import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { sealKeyPair } from '../../../src/lib/traffic/seal.ts';
import { frontend, listen, status, withServed, write } from './support/hazards.ts';
import { get } from './support/process.ts';

withServed({ 'backends/headless/backend': { Type: 'http' } });

const MANY = Array.from({ length: 10_000 }, (_, n) => `X-H${n}`);
const middleware = (Type: string, Middleware: object) => ({ Id: 'm', Priority: 1, Type, Middleware });
const hook = (Action: object) => ({
  Condition: 'NetworkErrorRatio() > 0.5',
  Fallback: { Type: 'response', Action: { StatusCode: 503, Body: 'x' } },
  OnTripped: { Type: 'webhook', Action },
});
const deep = `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`;

/** Path, value, and whether that object can be served (perhaps in part). */
test.each<[string, string, object | string, 'out' | 'served']>([
  [
    'a URL with a line end',
    'backends/good/servers/evil',
    { URL: 'http://127.0.0.1:1\n  server x 127.0.0.1:2' },
    'out',
  ],
  ['a URL of 500 kB', 'backends/good/servers/evil', { URL: `http://${'x'.repeat(500_000)}` }, 'out'],
  ['a URL on no address', 'backends/good/servers/evil', { URL: 'http://300.300.300.300:80' }, 'out'],
  ['a route of 100 kB', 'frontends/evil/frontend', frontend('good', 'x'.repeat(100_000)), 'out'],
  [
    'a map of 10,000 fields',
    'frontends/evil/frontend',
    { ...frontend('good', 'evil'), ...Object.fromEntries(MANY.map((n) => [n, n])) },
    'served',
  ],
  ['a value of 20,000 levels', 'frontends/evil/frontend', deep, 'out'],
  [
    'a host name with a directive behind',
    'frontends/evil/frontend',
    frontend('good', 'evil', { Hostname: "a'\n bind :1" }),
    'out',
  ],
  [
    '10,000 cipher suites',
    'backends/good/backend',
    {
      Type: 'http',
      Settings: { TLS: { CipherSuites: MANY.map((n) => n.toUpperCase().replaceAll('-', '_')) } },
    },
    'served',
  ],
  [
    'a time-out of 290 years',
    'backends/good/backend',
    { Type: 'http', Settings: { Timeouts: { Read: '2540400h', Dial: '2540400h' } } },
    'served',
  ],
  [
    'a body limit beyond 32 bits',
    'frontends/good/frontend',
    frontend('good', 'good', { Limits: { MaxBodyBytes: Number.MAX_SAFE_INTEGER } }),
    'served',
  ],
  [
    'a trace of 10,000 headers',
    'frontends/good/middlewares/m',
    middleware('trace', { Addr: 'syslog://127.0.0.1:9', ReqHeaders: MANY }),
    'served',
  ],
  [
    'a webhook with 10,000 headers',
    'frontends/good/middlewares/m',
    middleware(
      'cbreaker',
      hook({ URL: 'http://127.0.0.1:9', Headers: Object.fromEntries(MANY.map((n) => [n, ['1']])) }),
    ),
    'served',
  ],
  [
    'a fallback of 1 MB',
    'frontends/good/middlewares/m',
    middleware('cbreaker', {
      ...hook({ URL: 'http://127.0.0.1:9' }),
      Fallback: { Type: 'response', Action: { StatusCode: 503, Body: 'x'.repeat(1_000_000) } },
    }),
    'served',
  ],
  [
    'a rate beyond 32 bits',
    'frontends/good/middlewares/m',
    middleware('ratelimit', {
      PeriodSeconds: Number.MAX_SAFE_INTEGER,
      Requests: Number.MAX_SAFE_INTEGER,
      Burst: Number.MAX_SAFE_INTEGER,
      Variable: 'client.ip',
    }),
    'served',
  ],
  [
    'a rewrite of 4,000 groups',
    'frontends/good/middlewares/m',
    middleware('rewrite', { Regexp: '(a)'.repeat(4000), Replacement: 'b' }),
    'out',
  ],
  [
    'a listener with a directive behind',
    'listeners/evil',
    { Protocol: 'http', Address: { Network: 'tcp', Address: ':1\n  stats enable' } },
    'out',
  ],
  [
    'a key pair under another seal key',
    'hosts/evil.test/host',
    {
      Settings: {
        KeyPair: Buffer.from(sealKeyPair({ cert: 'c', key: 'k' }, 'cd'.repeat(32), randomBytes(24))).toString(
          'base64',
        ),
      },
    },
    'out',
  ],
])('hostile: %s; everything else is served', async (_, path, value, kind) => {
  const before = {
    'backends/good/backend': { Type: 'http' },
    'frontends/good/frontend': frontend('good', 'good'),
  };
  await write({ [path]: value });
  const { leftOut, failing, proxy } = await status();
  expect([failing, proxy.pid === null]).toEqual([null, false]);
  if (kind === 'served') expect(leftOut).toEqual([]);
  else
    expect(leftOut).toEqual([
      { object: expect.stringMatching(/evil|\bm\b/), message: expect.stringMatching(/^.{1,320}$/) },
    ]);
  expect((await get(listen, 'good')).status).toBe(200);
  expect((await get(listen, 'orphan')).status).toBe(200);
  await write({ 'frontends/witness/frontend': frontend('good', 'witness') });
  expect((await get(listen, 'witness')).status).toBe(200);
  await write({ [path]: null, 'frontends/witness/frontend': null, ...before });
  expect((await status()).leftOut).toEqual([]);
});
