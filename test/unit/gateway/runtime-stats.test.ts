import { expect, test } from 'vitest';
import { chooseEnding, jobOf, unitOf } from '../../../src/lib/gateway/ending.ts';
import { bindAddresses } from '../../../src/lib/gateway/haproxy/process/addresses.ts';
import { readTable, topOf } from '../../../src/lib/gateway/haproxy/stats.ts';
import { findOffenders, holdBack } from '../../../src/lib/gateway/offenders.ts';
import { prometheusText } from '../../../src/lib/gateway/prometheus.ts';
import { traceRecord } from '../../../src/lib/gateway/requests/trace.ts';
import { readSyslogAddress, readTraffic, type TrafficState } from '../../../src/lib/traffic/index.ts';

const STAT = `# pxname,svname,scur,stot,econ,eresp,status,weight,rate,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,addr,ttime,
gateway,FRONTEND,1,30,,,OPEN,,5,0,1,0,0,0,,,
demo-v1,s:401,1,10,2,1,no check,1,4,0,8,0,1,1,127.0.0.1:80,20,
demo-v1,s:401:a2,0,10,0,0,MAINT,1,0,0,10,0,0,0,127.0.0.1:81,40,
demo-v1,BACKEND,1,20,2,1,UP,2,4,0,18,0,1,1,,30,
demo-v1:r0123abcd,BACKEND,0,20,0,0,UP,2,1,0,20,0,0,0,,10,
other,BACKEND,0,1,0,0,UP,1,0,0,1,0,0,0,,5,
`;
const TABLE = `# table: :frontends, type: string, size:20480, used:2
0x55d0c0: key=f:401 use=0 exp=86 shard=0 http_req_cnt=40 http_req_rate(10000)=25 http_err_cnt=3 http_fail_cnt=2
0x55d0c1: key=f\\x3A402 use=0 exp=86 http_req_cnt=1 http_req_rate(10000)=1 http_err_cnt=0 http_fail_cnt=0
`;

const top = () =>
  topOf(STAT, TABLE, { frontends: new Map([['f@1', 'demo-v1']]), backends: new Set(['demo-v1']) });

test('top: HAProxy backends of one backend are one row, so are the names of one server', () => {
  const { frontends, backends, servers } = top();
  expect(backends).toHaveLength(1);
  expect(backends[0]).toMatchObject({ id: 'demo-v1', requests: 40, perSecond: 5, latencyMs: 20, ok: 38 });
  expect(servers).toHaveLength(1);
  expect(servers[0]).toMatchObject({ id: 's@1', requests: 20, state: 'no check', latencyMs: 30 });
  expect(servers[0]?.networkErrors).toBe(3);
  expect(frontends).toHaveLength(1);
  expect(frontends[0]).toMatchObject({ id: 'f@1', perSecond: 2.5, requests: 40, ok: 35, serverErrors: 2 });
});

test('keys of tables come back as they went in', () => {
  expect([...readTable(TABLE).keys()]).toEqual(['f@1', 'f@2']);
});

test('Prometheus text: each metric is described once, and labels are quoted', () => {
  const text = prometheusText(top(), { revision: 7 });
  expect(text).toContain('cluster_gateway_revision 7');
  expect(text).toContain('cluster_server_responses_total{backend="demo-v1",server="s@1",code="5xx"} 1');
  const types = text.split('\n').filter((line) => line.startsWith('# TYPE'));
  expect(new Set(types).size).toBe(types.length);
});

test.each([
  ['stop', false, 'stop'],
  ['stop', true, 'linger'],
  ['restart', true, 'leave'],
  [null, true, 'leave'],
] as const)('told to end by a job %s, wanted %s: %s', (job, wanted, ending) =>
  expect(chooseEnding(job, wanted)).toBe(ending),
);

test('which unit this is, and which job it has', () => {
  expect(unitOf('0::/system.slice/gateway.service\n')).toBe('gateway.service');
  expect(unitOf('12:pids:/system.slice/gateway.service\n1:name=systemd:/x\n')).toBe('gateway.service');
  expect(unitOf('0::/user.slice\n')).toBeNull();
  const jobs = '123 gateway.service restart running\n124 other.service start waiting\n';
  expect(jobOf(jobs, 'gateway.service')).toBe('restart');
  expect(jobOf(jobs, 'none.service')).toBeNull();
});

test('addresses that a configuration listens on', () => {
  const text = 'frontend f\n  bind 0.0.0.0:80 name a\n  bind [::]:80 v6only\n  bind unix@/x\n  bind *:8080\n';
  expect(bindAddresses(text)).toEqual([
    { host: '0.0.0.0', port: 80 },
    { host: '::', port: 80 },
    { host: '*', port: 8080 },
  ]);
});

const state = (values: Record<string, string>, revision: number): TrafficState =>
  readTraffic(
    '/v/',
    Object.entries(values).map(([path, value]) => ({ path, value, revision, lease: null })),
    revision,
  );
const backend = '{"Type":"http"}';

test('of many changes the ones at fault are found, and what they touch stays as it was', async () => {
  const before = state({ 'backends/b3/backend': '{"Type":"http","Mine":1}' }, 1);
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`backends/b${n}/backend`, backend]));
  const wanted = state(many, 2);
  const bad = ['backends/b3/backend', 'backends/b17/backend'];
  let asked = 0;
  const offenders = await findOffenders(before, wanted, async (candidate) => {
    asked++;
    return bad.some((path) => candidate.stored.get(path)?.revision === 2) ? 'no' : null;
  });
  expect([...offenders.keys()].sort()).toEqual(bad.sort());
  expect(asked).toBeLessThan(30);
  const held = holdBack(before, wanted, offenders.keys());
  expect(held.backends.size).toBe(39);
  expect(held.stored.get('backends/b3/backend')?.value).toEqual({ Type: 'http', Mine: 1 });
  expect(held.revision).toBe(2);
});

const COOKIE = '@cee: ';

test.each([
  [
    'syslog://localhost:514?f=MAIL&sev=INFO',
    { to: { protocol: 'udp', host: 'localhost', port: 514 }, facility: 2, level: 6, prefix: COOKIE },
  ],
  [
    'syslog://[::1]?f=LOG_LOCAL3&sev=ERR&proto=tcp&prefix=@json:',
    { to: { protocol: 'tcp', host: '::1', port: 514 }, facility: 19, level: 3, prefix: '@json:' },
  ],
  ['syslog:///run/x', { to: { socket: '/run/x' }, facility: 16, level: 7, prefix: COOKIE }],
  ['syslog://', { to: { socket: '/dev/log' }, facility: 16, level: 7, prefix: COOKIE }],
])('%s', (addr, target) => expect(readSyslogAddress(addr)).toEqual(target));

test.each([
  ['nonsense', 'is not a syslog:// address'],
  ['syslog://h?sev=FOO', '"FOO" is no syslog severity; there are ALERT'],
  ['syslog://h?sev=toString', 'is no syslog severity'],
  ['syslog://h?f=LOCAL3', '"LOCAL3" is no syslog facility; there are USER'],
])('%s is refused, as by vulcand', (addr, message) => expect(() => readSyslogAddress(addr)).toThrow(message));

test('a trace shows the headers that it asks for, and no others', () => {
  const line = {
    frontend: 'f',
    method: 'GET',
    path: '/',
    status: 200,
    latencyMs: 3,
    isNetworkError: false,
    isOwnAnswer: false,
    requestHeaders: { 'X-A': 'a', 'X-B': 'b' },
    responseHeaders: {},
  };
  const record = traceRecord(line, { ReqHeaders: ['x-a'], RespHeaders: ['Y'], Addr: '' }, '@cee: ');
  expect(JSON.parse(record.replace('@cee: ', ''))).toEqual({
    request: { method: 'GET', url: '/', headers: { 'x-a': ['a'] } },
    response: { code: 200, roundtrip: 3 },
  });
});
