import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { translate } from '../../../src/lib/gateway/haproxy/translate/translate.ts';
import { checkServing, ensureHaproxy, optionsFor, stateOf } from './support/haproxy-run.ts';

/** Everything that means something to HAProxy, to shells or to nobody. */
const nasty = fc.string({
  unit: fc.constantFrom(
    ...`abzAZ019 '"\\$%#{}[]()<>!&|;:,.@/=*+?^~-_`,
    'ü',
    '€',
    '😀',
    '\t',
    '\n',
    '\r',
    '\0',
    '\u0085',
  ),
  maxLength: 12,
});
const id = nasty.map((text) => text.replace(/[/\p{Cc}]/gu, '') || 'x');
const known = fc.constantFrom('a', 'b', 'c@1', "d'#%", 'e f', '-');
const goString = (text: string) => JSON.stringify(text);

const matcher = fc.oneof(
  nasty.map((text) => `Host(${goString(text)})`),
  fc.constantFrom('a.io', '<x>.io', 'b').map((text) => `Host("${text}")`),
  nasty.map((text) => `Path(${goString(`/${text}`)})`),
  fc
    .constantFrom('.*', '^/a(b|c)+$', '/[^x]*\\d{2,}', '(?i)/q', '[[:alpha:]]', '$', '\\$x')
    .map((re) => `PathRegexp(${goString(re)})`),
  nasty.map((text) => `HostRegexp(${goString(text)})`),
  nasty.map((text) => `Method(${goString(text)})`),
  fc.tuple(nasty, nasty).map(([name, text]) => `Header(${goString(name)}, ${goString(text)})`),
  nasty.map((text) => `HeaderRegexp("X-A", ${goString(text)})`),
);
const route = fc
  .array(fc.tuple(fc.constantFrom('', '!'), matcher, fc.constantFrom('&&', '||')), {
    minLength: 1,
    maxLength: 5,
  })
  .map((parts) => parts.map(([not, text, join], i) => `${i === 0 ? '' : ` ${join} `}${not}${text}`).join(''));

const settings = fc.record(
  {
    Limits: fc.record({ MaxBodyBytes: fc.nat() }),
    FailoverPredicate: fc.constantFrom(
      '',
      'IsNetworkError()',
      'Attempts() < 1',
      'RequestMethod() == "GET\'s %x" && ResponseCode() == 503 && Attempts() < 5',
      'RequestMethod() != "GET"',
      'ResponseCode() >= 400',
    ),
    Hostname: nasty,
    TrustForwardHeader: fc.boolean(),
    PassHostHeader: fc.boolean(),
    Stream: fc.boolean(),
  },
  { requiredKeys: [] },
);
const frontend = fc.record({ Type: fc.constant('http'), BackendId: known, Route: route, Settings: settings });

const duration = fc.constantFrom('', '0s', '1ns', '300ms', '5s', '1h30m', '2540400h');
const backend = fc.record({
  Type: fc.constant('http'),
  Settings: fc.record(
    {
      Timeouts: fc.record({ Read: duration, Dial: duration, TLSHandshake: duration }),
      KeepAlive: fc.record({ Period: duration, MaxIdleConnsPerHost: fc.nat() }),
      StickyCookie: fc.constantFrom('', 'SRV', 'a.b-c_d'),
      TLS: fc.record(
        {
          InsecureSkipVerify: fc.boolean(),
          MinVersion: fc.constantFrom('', 'VersionTLS10', 'VersionTLS12', 'VersionTLS13'),
          MaxVersion: fc.constantFrom('', 'VersionTLS11', 'VersionTLS12'),
          SessionTicketsDisabled: fc.boolean(),
          CipherSuites: fc.subarray([
            'TLS_RSA_WITH_AES_128_CBC_SHA',
            'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
            'TLS_X',
          ]),
        },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  ),
});
const server = fc.record({
  URL: fc.constantFrom(
    'http://10.0.0.1:80',
    'https://10.0.0.2',
    'http://[::1]:81',
    'http://localhost:1',
    'http://no-such-name.invalid:80',
    'http://no-such-name.invalid:80',
    'https://localhost:2',
    'http://10.0.0.1:80\n  bind :1',
  ),
  Weight: fc.integer({ min: 0, max: 256 }),
});

const variable = fc.constantFrom('client.ip', 'request.host', 'request.header.X-A', "request.header.X'#%");
const middleware = fc
  .tuple(
    fc.integer({ min: 0, max: 3 }),
    fc.oneof(
      fc.record({
        Type: fc.constant('ratelimit'),
        Middleware: fc.record({
          PeriodSeconds: fc.integer({ min: 1 }),
          Requests: fc.integer({ min: 1 }),
          Burst: fc.integer({ min: 1 }),
          Variable: variable,
          RateVar: fc.constantFrom('', 'request.header.R'),
        }),
      }),
      fc.record({
        Type: fc.constant('connlimit'),
        Middleware: fc.record({ Connections: fc.nat(), Variable: variable }),
      }),
      fc.record({
        Type: fc.constant('rewrite'),
        Middleware: fc.record({
          Regexp: fc.oneof(nasty, fc.constant('^http://([^/]+)/(.*)$')),
          Replacement: fc.oneof(
            nasty,
            fc.tuple(nasty, nasty).map((pieces) => pieces.join('{{.Request.Header.Get "X-A"}}')),
          ),
          RewriteBody: fc.boolean(),
          Redirect: fc.boolean(),
        }),
      }),
      fc.record({
        Type: fc.constant('trace'),
        Middleware: fc.record({
          Addr: fc.constant('syslog://127.0.0.1:1'),
          ReqHeaders: fc.subarray(['X-A', "X'#%|"]),
          RespHeaders: fc.subarray(['Y', 'Z!']),
        }),
      }),
      fc.record({
        Type: fc.constant('cbreaker'),
        Middleware: fc.record({
          Condition: fc.constant('NetworkErrorRatio() > 0.5'),
          Fallback: fc.oneof(
            fc.record({
              Type: fc.constant('response'),
              Action: fc.record({
                StatusCode: fc.oneof(fc.integer({ min: 200, max: 599 }), fc.constantFrom(200, 204, 304, 599)),
                ContentType: nasty,
                Body: fc.oneof(nasty, fc.constant('x'.repeat(50_000))),
              }),
            }),
            fc.record({
              Type: fc.constant('redirect'),
              Action: fc.record({
                URL: nasty.map((text) => `https://h/${text}`),
                PreservePath: fc.boolean(),
              }),
            }),
          ),
        }),
      }),
    ),
  )
  .map(([Priority, rest]) => ({ Priority, ...rest }));

const listener = fc.record({
  Protocol: fc.constantFrom('http', 'https'),
  Address: fc.oneof(
    fc.record({
      Network: fc.constant('tcp'),
      Address: fc.constantFrom(':1', '127.0.0.1:2', '[::1]:3', ':0', 'x.invalid:4', '999.1.1.1:5', ':99999'),
    }),
    fc.record({ Network: fc.constant('unix'), Address: fc.constantFrom('/tmp/a', `/${'b'.repeat(200)}`) }),
  ),
  Scope: fc.oneof(fc.constant(''), route),
  ProxyProtocol: fc.constantFrom('', 'PROXY_V1'),
  ClientAuth: fc.oneof(
    fc.constant(null),
    fc.record({
      Mode: fc.constantFrom('required', 'optional'),
      CA: nasty.map((text) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`),
    }),
  ),
});
const host = fc.record({ Settings: fc.record({ Default: fc.boolean(), KeyPair: nasty }) });

const entries = <Value>(
  path: (key: string, parent: string) => string,
  value: fc.Arbitrary<Value>,
  most: number,
) =>
  fc
    .array(fc.tuple(fc.oneof(known, id), known, value), { maxLength: most })
    .map((list) => list.map(([key, parent, item]) => [path(key, parent), item] as const));

const anyState = fc
  .tuple(
    entries((key) => `frontends/${key}/frontend`, frontend, 8),
    entries((key) => `backends/${key}/backend`, backend, 4),
    entries((key, parent) => `backends/${parent}/servers/${key}`, server, 6),
    entries((key, parent) => `frontends/${parent}/middlewares/${key}`, middleware, 8),
    entries((key) => `listeners/${key}`, listener, 3),
    entries((key) => `hosts/${key}/host`, host, 2),
  )
  .map((parts) => stateOf(Object.fromEntries(parts.flat())));

describe('whatever stands in the registry', () => {
  beforeAll(ensureHaproxy);

  test('HAProxy takes the configuration without an alert or a warning, and the rest is reported', async () => {
    await fc.assert(
      fc.asyncProperty(anyState, async (state) => {
        const serving = translate(state, { ...optionsFor(':8181', '/tmp'), ipv6: true });
        const fine = /has no 'bind' directive|could not resolve address 'no-such-name.invalid'/;
        const words = (await checkServing(serving)).split('\n').filter((line) => !fine.test(line));
        expect(words.join('\n')).toBe('');
        const routed = new Set([...(serving.maps.get('frontends.map')?.values() ?? [])]);
        for (const name of routed) expect(serving.pools.has(name)).toBe(true);
        for (const map of serving.maps.values())
          for (const [key, value] of map) expect(`${key} ${value}`).toMatch(/^[\x21-\x7e]+ [\x21-\x7e]+$/);
      }),
      { numRuns: Number(process.env.FC_RUNS ?? 200) },
    );
  });
});
