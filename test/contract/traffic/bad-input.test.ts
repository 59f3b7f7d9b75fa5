import { execFileSync } from 'node:child_process';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEmbedded } from '../../../src/lib/store/embedded.ts';
import { type Ran, type Workplace, workplace } from '../../support/cli.ts';
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts';
import { keyFiles } from '../../support/key-files.ts';
import { freePort } from '../../support/port.ts';

let etcd: EtcdServer;
let at: Workplace;

/** Everything in etcd, with revisions and leases. */
const keys = (): unknown => JSON.parse(etcd.etcdctl('get', '--prefix', '', '--write-out=json')).kvs;
const put = (key: string, value: string) => etcd.etcdctl('put', '--', key, value);

async function ok(...args: string[]): Promise<string> {
  const ran = await at.run(...args);
  expect(ran, args.join(' ')).toMatchObject({ code: 0, stderr: '' });
  return ran.stdout;
}

beforeAll(async () => {
  etcd = await startEtcd();
  at = await workplace({ CLUSTER_ENDPOINT: etcd.endpoint });
  for (const name of ['a', 'b']) keyFiles(at.dir, name);
  const shell = ODD;
  for (const id of [
    'app-v1.0',
    'app-v2.0',
    'app-v3.0',
    'two-v2.0',
    'shop-v1',
    'shop-v2',
    `odd${shell}-v1`,
    `odd${shell}-v2`,
  ])
    await ok('backend', 'upsert', '-id', id);
  for (const backend of ['app-v1.0', 'app-v2.0', 'shop-v1', 'shop-v2'])
    await ok('server', 'upsert', '-b', backend, '-id', 's1', '-url', 'http://127.0.0.1:9001');
  for (const [id, backend] of [
    ['f1', 'app-v1.0'],
    ['shop.a', 'shop-v1'],
    ['shop.b', 'shop-v1'],
    [`x${shell}`, `odd${shell}-v1`],
    [`y${shell}`, `odd${shell}-v1`],
  ] as const)
    await ok(
      'frontend',
      'upsert',
      '-id',
      id,
      '-b',
      backend,
      '-route',
      `Host("${id.length}${id[0]}${id.at(-1)?.codePointAt(0)}")`,
    );
  await ok('ratelimit', 'upsert', '-f', 'f1', '-id', 'limit');
  await ok('backend', 'upsert', '-id', 'APP-v1.0');
});

afterAll(async () => {
  await at.remove();
  await etcd.stop();
});

/** What a shell would make something of. */
const ODD = "$(touch gone);`id`'";
const KEY = 'ab'.repeat(32);
const OK_FALLBACK = '{"Type":"response","Action":{"StatusCode":503,"Body":"later"}}';
const words = (line: string): string[] => line.split(' ');
const frontend = (...more: string[]) => ['frontend', 'upsert', '-id', 'new', '-b', 'app-v1.0', ...more];
const routed = (route: string) => frontend('-route', route);
const named = (id: string) => ['frontend', 'upsert', '-id', id, '-b', 'app-v1.0', '-route', 'Path("/x")'];
const url = (text: string) => ['server', 'upsert', '-b', 'app-v1.0', '-id', 's2', '-url', text];
const ttl = (text: string) => [...url('http://a:80'), '-ttl', text];
const listener = (...more: string[]) => ['listener', 'upsert', '-id', 'l', ...more];
const addr = (text: string) => listener('-addr', text);
const pair = (key: string, cert: string, seal: string) => [
  ...['host', 'upsert', '-name', 'a.test', '-privateKey', key],
  ...['-cert', cert, '-sealKey', seal],
];
const limit = (...more: string[]) => ['ratelimit', 'upsert', '-f', 'f1', '-id', 'r', ...more];
const rewrite = (...more: string[]) => ['rewrite', 'upsert', '-f', 'f1', '-id', 'w', ...more];
const trace = (text: string) => ['trace', 'upsert', '-f', 'f1', '-id', 't', '-addr', text];
const breaker = (condition: string, fallback: string, ...more: string[]) => [
  ...['cbreaker', 'upsert', '-f', 'f1', '-id', 'cb', '-condition', condition],
  ...['-fallback', fallback, ...more],
];
const trips = (fallback: string, ...more: string[]) =>
  breaker('NetworkErrorRatio() > 0.5', fallback, ...more);

type Row = [what: string, args: string[], code: number, said: RegExp];
const ROWS: Row[] = [
  [
    'an unknown backend',
    [...words('frontend upsert -id new -b nope -route'), 'Path("/x")'],
    1,
    /no backend nope/,
  ],
  [
    'a slip in a backend',
    words('frontend upsert -id f1 -b app-v1.1'),
    1,
    /app-v1\.1[\s\S]*did you mean app-v\d\.0\?/i,
  ],
  [
    'a route that does not parse',
    routed('Path("/x"'),
    1,
    /route should be a valid.*Path\("\/x".*at character 10/,
  ],
  ['a matcher that is none', routed('Pfad("/x")'), 1, /Pfad/],
  ['a look-ahead', routed('PathRegexp("(?=a)")'), 1, /\(\?=/],
  ['a back reference', routed('PathRegexp("(a)\\\\1")'), 1, /\\1/],
  ['a regexp that is never closed', routed('HostRegexp("(a")'), 1, /missing closing \)/],
  ['an empty route', routed(''), 1, /supply valid route/],
  ['a line end in a route', routed('Path("/a\nb")'), 1, /never closed/],
  ['a terminal’s escape in a route', routed('Path(\u001b[31m)'), 1, /valid route/],
  ['a huge route', routed(`Path("/${'x'.repeat(100_000)}")`), 1, /^.{0,700}100009 characters are too many/],
  ['no route for a new frontend', frontend(), 1, /supply valid {2}route[\s\S]*no frontend new yet/],
  [
    'a failover predicate of garbage',
    words('frontend upsert -id f1 -failoverPredicate x('),
    1,
    /invalid failover predicate/,
  ],
  ['a forwarded host with a blank', [...words('frontend upsert -id f1 -forwardHost'), 'a b'], 1, /Hostname/],
  [
    'a body limit of -1',
    words('frontend upsert -id f1 -maxBodyKB -1'),
    64,
    /--max-body-kb: expected an integer.*-1/,
  ],
  [
    'a body limit beyond numbers',
    words('frontend upsert -id f1 -maxBodyKB 99999999999999999'),
    1,
    /MaxBodyBytes/,
  ],
  ['a time to wait below 0', words('frontend upsert -id f1 --wait-timeout -1s'), 1, /--wait-timeout "-1s"/],

  ['an empty id', named(''), 1, /an id is empty/],
  ['an id with a slash', named('a/b'), 1, /"a\/b" is not a frontend id/],
  ['an id with a line end', named('a\nb'), 1, /"a\\nb" is not a frontend id/],
  ['an id with an escape', named('a\u001b[2J'), 1, /"a\\u001b\[2J" is not a frontend id/],
  ['an id of 300 bytes', named('x'.repeat(300)), 1, /"x{40}\.\.\." is not a frontend id/],
  [
    'a backend id with a slash',
    words('backend upsert -id ../../x'),
    1,
    /"\.\.\/\.\.\/x" is not a backend id/,
  ],
  [
    'a server of a backend with a slash',
    words('server upsert -b a/b -id s -url http://a:1'),
    1,
    /"a\/b" is not a backend id/,
  ],
  [
    'a middleware id with a slash',
    words('connlimit upsert -f f1 -id a/b'),
    1,
    /"a\/b" is not a middleware id/,
  ],
  ['the same flag twice', [...named('one'), '-id', 'two'], 64, /--id can only be specified once/],
  ['an id and another one', words('server rm -b app-v1.0 -id s1 s2'), 64, /two are given: "s1" and "s2"/],
  ['two names of a host', words('host rm --name a.test b.test'), 64, /"a\.test" and "b\.test"/],
  ['an argument too many', words('frontend upsert f1 -b app-v2.0'), 64, /Unexpected argument: f1/],

  ['a ttl of garbage', ttl('soon'), 1, /--ttl "soon" is not a duration/],
  ['a ttl without its unit', ttl('5'), 1, /--ttl "5" is not a duration/],
  ['a negative ttl', ttl('-5s'), 1, /--ttl "-5s"/],
  ['a negative ttl after =', [...url('http://a:80'), '--ttl=-5s'], 1, /--ttl "-5s"/],
  ['a ttl below a second', ttl('500ms'), 1, /--ttl 500ms is less than 1s/],
  ['an empty ttl', ttl(''), 1, /--ttl ""/],
  ['a ttl of centuries', ttl('9999999h'), 1, /9999999h/],
  [
    'a time-out that Go cannot count',
    words('backend upsert -id new -readTimeout 99999999h'),
    1,
    /--read-timeout "99999999h"/,
  ],

  ['a URL with a path', url('http://10.0.0.1:80/x'), 1, /'http:\/\/10\.0\.0\.1:80\/x' is not valid/],
  ['a URL with a query', url('http://a:80?x=1'), 1, /is not valid/],
  ['a URL with a user', url('http://u:p@a:80'), 1, /u:p@a/],
  ['a URL with a line end', url('http://a:80\nserver evil'), 1, /'http:\/\/a:80\\nserver evil'/],
  ['another scheme', url('ftp://a'), 1, /unsupported protocol 'ftp'/],
  ['a script', url('javascript:alert(1)'), 1, /javascript:alert\(1\)/],
  ['no scheme', url('10.0.0.1:80'), 1, /'10\.0\.0\.1:80'/],
  ['no host', url('http://:80'), 1, /'http:\/\/:80'/],
  ['nothing', url(''), 1, /endpoint url ''/],
  ['port 0', url('http://a:0'), 1, /'http:\/\/a:0'/],
  ['port 70000', url('http://a:70000'), 1, /'http:\/\/a:70000'/],
  ['an address that is none', url('http://300.1.1.1:80'), 1, /300\.1\.1\.1/],
  ['an IPv6 address that is none', url('http://[:::::]:80'), 1, /\[:::::\]/],
  ['a host with an empty label', url('http://a..b:80'), 1, /a\.\.b/],
  ['a host name of 2000 characters', url(`http://${'x'.repeat(2000)}:80`), 1, /'http:\/\/x{190,200}'/],
  ['no URL for a new server', words('server upsert -b app-v1.0 -id s2'), 1, /endpoint url ''/],
  [
    'a server of an unknown backend',
    words('server upsert -b nope -id s -url http://a:1'),
    1,
    /no backend nope/,
  ],
  ['a weight of 257', words('server upsert -b app-v1.0 -id s1 -weight 257'), 1, /Weight is 257/],
  [
    'a weight of 1.5',
    words('server upsert -b app-v1.0 -id s1 -weight 1.5'),
    64,
    /--weight: expected an integer.*1\.5/,
  ],
  [
    'a server that is not there',
    words('server show -b app-v1.0 s2'),
    1,
    /no server s2[\s\S]*server ls -b app-v1\.0/,
  ],
  ['a server of a backend that is not', words('server show -b nope s2'), 1, /no backend nope/],

  [
    'a version of two applications',
    words('frontend upsert -b v2.0'),
    1,
    /v2\.0 fits 2 backends: app-v2\.0, two-v2\.0[\s\S]*--id f1 -b app-v2\.0/,
  ],
  [
    'a version of two frontends',
    words('frontend upsert -b shop-v2'),
    1,
    /2 frontends.*shop\.a[\s\S]*--id shop\.b -b shop-v2/,
  ],
  [
    'a backend without a server',
    words('frontend upsert -b app-v3.0'),
    1,
    /app-v3\.0 has no healthy server: f1 stays at app-v1\.0/,
  ],
  ['a rollback of nothing', words('frontend rollback f1'), 1, /no switch of f1/],
  ['a rollback of no name', ['frontend', 'rollback', ''], 1, /frontend id can not be empty/],
  ['a history of nobody', words('frontend history nope'), 1, /no frontend nope/],
  ['a backend in use', words('backend rm app-v1.0'), 1, /'app-v1\.0', it is in use by \[f1\]/],
  ['top of an unknown backend', words('top -b nope -refresh 0'), 1, /no backend nope/],
  [
    'a method that is none',
    ['frontend', 'match', '--method', 'G T', 'http://a/'],
    1,
    /"G T" is not an HTTP method/,
  ],
  ['a header that is none', ['frontend', 'match', '--header', 'x', 'http://a/'], 1, /"x" is not NAME:VALUE/],
  ['a URL to match that is none', words('frontend match nope'), 1, /"nope" is not a URL/],

  ['a sealing key of garbage', pair('a.key', 'a.pem', 'zz'), 1, /seal key is not 64 hex digits/],
  ['halves of two key pairs', pair('b.key', 'a.pem', KEY), 1, /b\.key is not the private key of a\.pem/],
  ['halves exchanged', pair('a.pem', 'a.key', KEY), 1, /a\.key and a\.pem/],
  ['a folder for a key', pair('.', 'a.pem', KEY), 1, /EISDIR/],
  ['a host with a blank', ['host', 'upsert', '-name', 'a b'], 1, /"a b" is not a host name/],
  [
    'an OCSP responder of garbage',
    ['host', 'upsert', '-name', 'a.test', '-ocspResponder', 'x y'],
    1,
    /--ocsp-responder "x y"/,
  ],

  ['a listener on junk', addr('junk'), 1, /"junk" is not HOST:PORT/],
  ['a listener on port 0', addr(':0'), 1, /":0" is not HOST:PORT/],
  ['a listener on port 70000', addr(':70000'), 1, /":70000" is not HOST:PORT/],
  ['a listener on no IP address', addr('300.1.1.1:80'), 1, /300\.1\.1\.1/],
  ['a listener on no IPv6 address', addr('[:::::]:80'), 1, /\[:::::\]:80/],
  ['a listener with a directive behind', addr('1.2.3.4:80\n  bind :81'), 1, /"1\.2\.3\.4:80\\n {2}bind :81"/],
  [
    'a socket that is not absolute',
    listener('-net', 'unix', '-addr', 'a/b'),
    1,
    /"a\/b" is not the absolute path/,
  ],
  ['a network that is none', listener('-net', 'udp', '-addr', ':80'), 1, /Network is "udp"/],
  [
    'a protocol that is none',
    listener('-proto', 'ftp', '-addr', ':80'),
    1,
    /unsupported protocol 'ftp', supported protocols are http and https/,
  ],
  ['a scope that does not parse', listener('-addr', ':80', '-scope', 'x('), 1, /Scope should be.*x\(/],
  ['a TLS version that is none', words('backend upsert -id new -tlsMinV 1.2'), 1, /MinVersion is "1\.2"/],
  [
    'a session cache that is none',
    words('backend upsert -id new -tlsSessionCache x'),
    1,
    /--tls-session-cache "x"/,
  ],

  ['a middleware of an unknown frontend', words('connlimit upsert -f nope -id c'), 1, /no frontend nope/],
  [
    'an id of another type',
    words('connlimit upsert -f f1 -id limit'),
    1,
    /limit of frontend f1 is a ratelimit/,
  ],
  ['a rate of 0', limit('-requests', '0'), 1, /requests should be > 0, got 0/],
  ['a burst of 0', limit('-burst', '0'), 1, /burst should be > 0, got 0/],
  ['a period of 0', limit('-period', '0'), 1, /period seconds should be > 0, got 0/],
  ['a period with a unit', limit('-period', '1s'), 64, /--period: expected an integer.*1s/],
  ['a variable of garbage', limit('-variable', 'request.header.a b'), 1, /'request\.header\.a b'/],
  [
    'a limit of no requests',
    ['ratelimit', 'upsert', '-f', 'f1', '-id', 'w', '-requests', '0'],
    1,
    /requests should be > 0, got 0/,
  ],
  [
    'rates from no header',
    ['ratelimit', 'upsert', '-f', 'f1', '-id', 'w', '-rateVar', 'client.ip'],
    1,
    /variable format: "client\.ip"/,
  ],
  ['a rewrite that never closes', rewrite('-regexp', '(a'), 1, /Regexp "\(a"/],
  [
    'a trace of an unknown severity',
    ['trace', 'upsert', '-f', 'f1', '-id', 'w', '-addr', 'syslog://h?sev=LOUD'],
    1,
    /"LOUD" is no syslog severity/,
  ],
  ['a rewrite that looks ahead', rewrite('-regexp', '(?=a)'), 1, /\(\?=/],
  ['a rewrite with a line end', rewrite('-regexp', 'a\nb'), 1, /Regexp has a line break/],
  [
    'a replacement with a header behind',
    rewrite('-regexp', 'a', '-replacement', 'b\r\nX: y'),
    1,
    /Replacement has/,
  ],
  ['a trace to junk', trace('junk'), 1, /"junk" is not a syslog/],
  ['a trace to port 99999', trace('syslog://h:99999'), 1, /"syslog:\/\/h:99999"/],
  ['a trace to no port', trace('syslog://h:x'), 1, /"syslog:\/\/h:x"/],
  ['a condition of junk', breaker('x', OK_FALLBACK), 1, /condition/],
  ['no condition', breaker('', OK_FALLBACK), 1, /condition/],
  ['a fallback that is no JSON', trips('{'), 1, /--fallback is not a JSON object/],
  ['a fallback that is a list', trips('[]'), 1, /--fallback is not a JSON object/],
  ['a fallback of no type', trips('{"Type":"x"}'), 1, /Type is "x"/],
  ['a fallback of status 99', trips('{"Type":"response","Action":{"StatusCode":99}}'), 1, /StatusCode is 99/],
  [
    'a fallback of a text as status',
    trips('{"Type":"response","Action":{"StatusCode":"503"}}'),
    1,
    /StatusCode is not an integer/,
  ],
  ['a redirect to nowhere', trips('{"Type":"redirect","Action":{"URL":"nope"}}'), 1, /URL "nope"/],
  [
    'a webhook to nowhere',
    trips(OK_FALLBACK, '-onTripped', '{"Type":"webhook","Action":{"URL":"nope"}}'),
    1,
    /URL "nope"/,
  ],
  ['a check period of junk', trips(OK_FALLBACK, '-checkPeriod', 'x'), 1, /--check-period "x"/],

  ['a severity of junk', words('log set_severity -s loud'), 1, /"loud"/],
  ['an unknown flag', words('frontend upsert -id f1 --bakend x'), 64, /--bakend[\s\S]*--backend/],
  ['an unknown command', words('frontend upsrt -id f1'), 64, /upsrt[\s\S]*cluster frontend upsert/],
  ['a flag without its value', words('backend rm --id'), 64, /--id expects a value/],
  [
    'a gateway that listens on junk',
    words('gateway --listen junk --run-dir run --state-dir state'),
    1,
    /--listen "junk"/,
  ],
  [
    'a gateway with an admin of junk',
    words('gateway --admin junk --run-dir run --state-dir state'),
    1,
    /'junk' is not HOST:PORT/,
  ],
  [
    'a gateway with a seal key of junk',
    words('gateway --seal-key zz --run-dir run --state-dir state'),
    1,
    /seal key is not 64/,
  ],
];

/** One line of what is wrong, one of what to try, and nothing that a terminal would obey. */
function expectRefused(ran: Ran, code: number, said: RegExp): void {
  expect(ran.stderr).toMatch(said);
  expect(ran.stderr).toMatch(/^Error: [^\p{Cc}]+\n {2}try: [^\p{Cc}]+\n$/u);
  expect(ran).toMatchObject({ code, stdout: '' });
}

describe.concurrent('bad input on etcd', () => {
  const before = { value: undefined as unknown };
  test.each(ROWS)('%s', async (_, args, code, said) => {
    before.value ??= keys();
    expectRefused(await at.run(...args), code, said);
    expect(keys()).toEqual(before.value);
  });
});

test.each([
  ['frontend', words('frontend upsert -id f1 -b nope'), 1, 'not-found'],
  ['url', url('ftp://a'), 1, 'bad-url'],
  ['ttl', ttl('500ms'), 1, 'bad-ttl'],
  ['flag', words('server upsert -b app-v1.0 -id s1 -weight x'), 64, 'usage'],
  ['unknown flag', words('frontend upsert -idd x'), 64, 'unknown-flag'],
])('with --json the error is JSON on stdout: %s', async (_, args, code, name) => {
  const ran = await at.run(...args, '--json');
  expect(ran).toMatchObject({ code, stderr: '' });
  expect(JSON.parse(ran.stdout)).toEqual({
    error: expect.objectContaining({
      code: name,
      message: expect.stringMatching(/./),
      hint: expect.stringMatching(/./),
    }),
  });
});

test('the embedded store refuses alike', async () => {
  const own = await workplace();
  expect(await own.run('backend', 'upsert', '-id', 'app-v1.0')).toMatchObject({ code: 0 });
  const store = await openEmbedded(join(own.dir, 'store'));
  const { entries } = await store.range('');
  for (const [args, code, said] of [
    [words('frontend upsert -id new -b nope -route Path("/")'), 1, /no backend nope/],
    [routed('Path('), 1, /valid route/],
    [named('a/b'), 1, /"a\/b"/],
    [ttl('-1s'), 1, /--ttl "-1s"/],
    [url('http://a:0'), 1, /http:\/\/a:0/],
  ] as const)
    expectRefused(await own.run(...args), code, said);
  expect((await store.range('')).entries).toEqual(entries);
  await store.close();
  await own.remove();
});

test('a hint with odd ids can be pasted into a shell', async () => {
  const { stderr } = await at.run('frontend', 'upsert', '-b', `odd${ODD}-v2`);
  const hint = /try: (cluster frontend upsert .*?); or cluster/.exec(stderr)?.[1] ?? '';
  const line = hint.replace(/^cluster/, "printf '%s\\n'");
  const said = execFileSync('sh', ['-c', line], { cwd: at.dir, encoding: 'utf8' });
  expect(said.split('\n')).toEqual(['frontend', 'upsert', '--id', `x${ODD}`, '-b', `odd${ODD}-v2`, '']);
});

test('ids that differ only in case are two objects', async () => {
  expect((await at.run('server', 'ls', '-b', 'APP-v1.0')).stdout).not.toContain('s1');
  expect((await at.run('server', 'ls', '-b', 'app-v1.0')).stdout).toContain('s1');
});

describe('values that others wrote', () => {
  const prefix = '/others';
  let other: Workplace;
  const key = (path: string): string => `${prefix}/${path}`;
  const good = '{"Type":"http","BackendId":"good","Route":"Host(`good`)"}';
  beforeAll(async () => {
    other = await workplace({ CLUSTER_ENDPOINT: etcd.endpoint, CLUSTER_TRAFFIC_PREFIX: prefix });
    put(key('backends/good/backend'), '{"Type":"http"}');
    put(key('backends/good/servers/s'), '{"URL":"http://127.0.0.1:9001"}');
    put(key('frontends/good/frontend'), good);
    put(key('frontends/lost/frontend'), good.replaceAll('good', 'lost'));
    put(key('backends/broken/backend'), '{oops');
    put(key('backends/typed/backend'), '{"Type":"http","Settings":{"Timeouts":{"Read":5}}}');
    put(key('backends/good/servers/broken'), '[]');
    put(key('backends/good/servers/evil'), JSON.stringify({ URL: 'http://a:1\n  server x' }));
    put(key('frontends/broken/frontend'), 'null');
    put(
      key('frontends/huge/frontend'),
      JSON.stringify({ Type: 'http', BackendId: 'good', Route: `Path("${'x'.repeat(100_000)}")` }),
    );
    put(key('frontends/good/middlewares/broken'), '{"Type":"ratelimit","Middleware":"x"}');
    put(key('hosts/broken/host'), '{"Settings":{"KeyPair":7}}');
    put(key('listeners/broken'), '{"Protocol":"http","Address":{"Network":"tcp","Address":":70000"}}');
  });
  afterAll(() => other.remove());

  const BROKEN = [
    'backends/broken/backend',
    'backends/typed/backend',
    'backends/good/servers/broken',
    'backends/good/servers/evil',
  ];
  BROKEN.push('frontends/broken/frontend', 'frontends/huge/frontend', 'frontends/good/middlewares/broken');
  BROKEN.push('hosts/broken/host', 'listeners/broken');

  test.each([
    ['backend ls', /^good/m],
    ['backend show good', /^s +http:/m],
    ['server ls -b good', /^s +http:/m],
    ['server show -b good s', /^s +http:/m],
    ['frontend ls', /^good[\s\S]*^lost/m],
    ['frontend show good', /^good/m],
    ['frontend match http://good/', /^good -> good/],
    ['host ls', /Name/],
    ['listener ls', /Id/],
    ['top -refresh 0', /^good/m],
  ])('%s names each broken key and goes on', async (line, shown) => {
    const ran = await other.run(...words(line));
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringMatching(shown) });
    for (const path of BROKEN) expect(ran.stderr).toContain(key(path));
    expect(ran.stderr).toMatch(/^(WARNING: [^\p{Cc}]{1,600}\n)+$/u);
  });

  test.each([
    ['backend show broken', /backend broken does not read well/],
    ['backend show typed', /Timeouts\.Read is not a string/],
    ['server show -b good evil', /not valid/],
    ['frontend show huge', /too many/],
    ['host show broken', /KeyPair is not a string/],
    ['listener show broken', /":70000"/],
    ['frontend upsert -id lost -b broken', /backend broken does not read well/],
    ['frontend upsert -id broken -b good', /what is stored as broken does not read well/],
  ])('%s is refused with what is wrong', async (line, said) => {
    const before = keys();
    const { stderr, code } = await other.run(...words(line));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Error: [^\n]+\n {2}try: [^\n]+\n$/m);
    expect(stderr.slice(stderr.indexOf('Error:'))).toMatch(said);
    expect(keys()).toEqual(before);
  });

  test('a dangling frontend is said where it is looked at', async () => {
    const dangling = 'frontend lost: backend lost does not exist: requests get 503';
    for (const line of ['frontend ls', 'frontend show lost'])
      expect((await other.run(...words(line))).stderr).toContain(dangling);
    const match = await other.run('frontend', 'match', 'http://lost/');
    expect(match).toMatchObject({ code: 0, stdout: expect.stringContaining('lost -> lost') });
    expect(match.stderr).toContain('backend lost has no server: the answer is 503');
  });

  test('an upsert writes over a broken value, and rm takes one away', async () => {
    for (const [args, path] of [
      [words('backend upsert -id broken'), 'backends/broken/backend'],
      [words('backend upsert -id typed -readTimeout 5s'), 'backends/typed/backend'],
      [words('server upsert -b good -id evil -url http://a:1'), 'backends/good/servers/evil'],
      [words('frontend upsert -id huge -b good -route Path("/h")'), 'frontends/huge/frontend'],
      [words('ratelimit upsert -f good -id broken -requests 3'), 'frontends/good/middlewares/broken'],
      [words('host upsert -name broken -default'), 'hosts/broken/host'],
      [words('listener upsert -id broken -addr :8080'), 'listeners/broken'],
    ] as const) {
      expect(await other.run(...args), args.join(' ')).toMatchObject({ code: 0 });
      expect((await other.run('backend', 'ls')).stderr, path).not.toContain(key(path));
    }
    expect(await other.run('frontend', 'rm', 'broken')).toMatchObject({ code: 0 });
    expect(await other.run('server', 'rm', '-b', 'good', 'broken')).toMatchObject({ code: 0 });
    expect(await other.run('backend', 'ls')).toMatchObject({ code: 0, stderr: '' });
  });
});

/** Lets a command's connections to etcd through until an answer names `marker`; then nothing passes until `resume`. */
async function gate(marker: string) {
  const sockets: Socket[] = [];
  let reached: () => void = () => undefined;
  let held = false;
  const seen = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const server = createServer((client) => {
    const upstream = connect(etcd.port, '127.0.0.1');
    sockets.push(client, upstream);
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    let heard = '';
    upstream.on('data', (part) => {
      client.write(part);
      heard = heard.slice(-marker.length) + part.toString('latin1');
      if (held || !heard.includes(marker)) return;
      held = true;
      for (const socket of sockets) socket.pause();
      reached();
    });
    client.on('data', (part) => upstream.write(part));
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return {
    env: { CLUSTER_ENDPOINT: `http://127.0.0.1:${port}` },
    seen,
    resume: () => {
      for (const socket of sockets) socket.resume();
    },
    close,
  };
}

test('two switches at once: the second is told, exit 6, and nothing of it is written', async () => {
  const slow = await gate('frontends/f1/frontend');
  const second = { ...(await workplace(slow.env)) };
  const late = second.run('frontend', 'upsert', '-id', 'f1', '-b', 'app-v3.0', '--force');
  await slow.seen;
  expect(await at.run('frontend', 'upsert', '-b', 'app-v2.0')).toMatchObject({ code: 0 });
  const after = keys();
  slow.resume();
  expectRefused(await late, 6, /somebody else changed frontends\/f1\/frontend[\s\S]*nothing was written/);
  expect(keys()).toEqual(after);
  expect(JSON.parse(await ok('frontend', 'history', 'f1', '--json'))).toHaveLength(1);
  slow.close();
  await second.remove();
});

test('etcd away: at once, and in the middle of an upsert; exit 5, nothing written', async () => {
  const before = keys();
  const endpoint = ['--endpoint', `http://127.0.0.1:${await freePort()}`, '--request-timeout', '1s'];
  const upsert = words('backend upsert -id late');
  expectRefused(await at.run(...upsert, ...endpoint), 5, /etcd/);
  const cut = await gate('frontends/f1/frontend');
  const cutOff = await workplace(cut.env);
  const ran = cutOff.run(...upsert, '--request-timeout', '1s');
  await cut.seen;
  cut.close();
  expectRefused(await ran, 5, /etcd/);
  expect(keys()).toEqual(before);
  await cutOff.remove();
});

test('--wait with no gateway says so; a gateway that lags is named, and the switch stands', async () => {
  const waiting = await workplace({ CLUSTER_ENDPOINT: etcd.endpoint, CLUSTER_KEY_PREFIX: '/lagging' });
  const alone = await waiting.run(...words('frontend upsert -id f1 -b app-v1.0 --wait'));
  expect(alone).toMatchObject({ code: 0, stderr: expect.stringContaining('no gateway is registered') });
  const record = {
    v: 1,
    machine: 'c0ffee',
    hostname: 'idle',
    address: null,
    admin: '',
    version: '0',
    revision: 1,
  };
  put('/lagging/gateways/c0ffee', JSON.stringify(record));
  const lagging = await waiting.run(...words('frontend upsert -id f1 -b app-v2.0 --wait-timeout 200ms'));
  expect(lagging).toMatchObject({ code: 1, stdout: expect.stringContaining('app-v1.0 -> app-v2.0') });
  expect(lagging.stderr).toMatch(
    /^Error: .*1 of 1 gateways .*idle \(c0ffee\)\n {2}try: the change stands.*\n$/,
  );
  expect(await ok('frontend', 'show', 'f1')).toContain('app-v2.0');
  put('/lagging/gateways/c0ffee', '{oops');
  const broken = await waiting.run(...words('frontend upsert -id f1 -b app-v1.0 --wait'));
  expect(broken.code).toBe(0);
  await waiting.remove();
});

test('a listener that no gateway can have is taken, as a vulcand may, and said', async () => {
  expect(await at.run(...addr('name.test:80'))).toMatchObject({
    code: 0,
    stderr: 'WARNING: listener l: name.test is not an IP address\n',
  });
});
