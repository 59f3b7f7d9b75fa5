import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEmbedded } from '../../../src/lib/store/embedded.ts';
import type { Store } from '../../../src/lib/store/port.ts';
import { openKeyPair } from '../../../src/lib/traffic/seal.ts';
import { runCli, type Workplace, workplace } from '../../support/cli.ts';
import { keyFiles } from '../../support/key-files.ts';

let at: Workplace;
let store: Store;
beforeAll(async () => {
  at = await workplace();
  for (const name of ['a', 'b']) keyFiles(at.dir, `${name}.test`, name);
  for (const line of [
    'backend upsert -id b1',
    'server upsert -b b1 -id s1 -url http://127.0.0.1:29001',
    'frontend upsert -id f1 -b b1 -route Path("/p1")',
  ])
    expect(await at.run(...line.split(' '))).toMatchObject({ code: 0 });
  store = await openEmbedded(join(at.dir, 'store'));
});
afterAll(async () => {
  await store.close();
  await at.remove();
});

const ok = async (...args: string[]): Promise<string> => {
  const ran = await at.run(...args);
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  return ran.stdout;
};

test('every list and show has a table in vctl’s form, and JSON', async () => {
  await ok('listener', 'upsert', '-id', 'l1', '-proto', 'https', '-addr', ':443', '-tlsMinV=VersionTLS12');
  await ok('server', 'upsert', '-b', 'b1', '-id', 'heavy', '-url', 'http://127.0.0.1:1', '-weight', '5');
  await ok('ratelimit', 'upsert', '-f', 'f1', '-id', 'r2', '-requests', '5', '-priority', '2');
  await ok(
    'trace',
    'upsert',
    '-f',
    'f1',
    '-id',
    't',
    '-addr',
    'syslog://h:514',
    '-reqHeader',
    'A',
    '-reqHeader',
    'B',
  );
  const rewrite = ['rewrite', 'upsert', '-f', 'f1', '-id', 'w', '-regexp', '^http://a(.*)', '-priority', '0'];
  await ok(...rewrite, '-replacement', 'http://b$1', '-redirect');
  expect(await ok('server', 'ls', '-b', 'b1')).toBe(
    '\n[Servers]\nId        URL                        Weight\nheavy     http://127.0.0.1:1         5\ns1        http://127.0.0.1:29001     1\n',
  );
  expect(await ok('backend', 'ls')).toBe('\n[Backends]\nId     Type\nb1     http\n');
  expect(await ok('backend', 'show', 'b1')).toMatch(/^\n\[Backend\]\n[^[]*\n\[Servers\]\nId {8}URL/);
  expect(await ok('frontend', 'ls')).toBe(
    '\n[Frontends]\nId     Route           Backend     Type\nf1     Path("/p1")     b1          http\n',
  );
  const shown = await ok('frontend', 'show', '-id', 'f1');
  expect(shown.split('\n').map((line) => line.split(' ')[0])).toEqual([
    '',
    '[Frontend]',
    'Id',
    'f1',
    '',
    '[Middlewares]',
    'Id',
    'w',
    't',
    'r2',
    '',
  ]);
  expect(shown).toContain('regexp=^http://a(.*), replacement=http://b$1, rewriteBody=false, redirect=true\n');
  expect(shown).toContain('addr=syslog://h:514, reqHeaders=[A B], respHeaders=[]\n');
  expect(shown).toContain('reqs/1s=5, burst=1, var=client.ip, rateVar=\n');
  expect(await ok('host', 'ls')).toBe('\n[Hosts]\nName     Default\n');
  expect(await ok('listener', 'show', 'l1')).toContain('[Listeners]\nId     Protocol     Network');
  const json = async (...args: string[]) => JSON.parse(await ok(...args, '--json'));
  expect(await json('frontend', 'ls')).toMatchObject([{ Id: 'f1', BackendId: 'b1' }]);
  expect(await json('frontend', 'show', 'f1')).toMatchObject({
    Middlewares: [{ Id: 'w' }, { Id: 't', Middleware: { ReqHeaders: ['A', 'B'] } }, { Id: 'r2' }],
  });
  expect(await json('backend', 'show', 'b1')).toMatchObject({ Servers: [{ Weight: 5 }, { Id: 's1' }] });
  expect(await json('server', 'show', '-b', 'b1', '-id', 's1')).toEqual({
    Id: 's1',
    URL: 'http://127.0.0.1:29001',
    Weight: 1,
  });
  expect(await json('listener', 'ls')).toMatchObject([{ Settings: { TLS: { MinVersion: 'VersionTLS12' } } }]);
  expect(await json('host', 'ls')).toEqual([]);
  expect(await ok('trace', 'rm', '-f', 'f1', '-id', 't')).toBe('OK: trace deleted\n');
});

test('microseconds, in all three spellings of Go', async () => {
  for (const given of ['1500us', '1500\u00b5s', '1500\u03bcs', '1.5us']) {
    await ok('backend', 'upsert', '-id', 'b1', '-dialTimeout', given);
    const { Settings } = JSON.parse(await ok('backend', 'show', 'b1', '--json'));
    expect(Settings.Timeouts.Dial).toBe(given === '1.5us' ? '1.5\u00b5s' : '1.5ms');
  }
  await ok('backend', 'upsert', '-id', 'b1', '-dialTimeout', '0');
});

test('OK lines are green where colours are shown, as vctl’s', async () => {
  const loud = (more: NodeJS.ProcessEnv) =>
    runCli(['backend', 'upsert', '-id', 'b1'], at.dir, { ...at.env, FORCE_COLOR: '1', ...more });
  expect((await loud({})).stdout).toBe('\u001b[32mOK: Backend(id=b1) upserted\u001b[39m\n');
  expect((await loud({ NO_COLOR: '1' })).stdout).toBe('OK: Backend(id=b1) upserted\n');
});

test('a certificate that does not name the host is stored, with a warning', async () => {
  const { key, cert } = keyFiles(at.dir, 'b.test');
  const pair = ['-privateKey', key, '-cert', cert, '-sealKey', await ok('secret', 'new_key')];
  const ran = await at.run('host', 'upsert', '-name', 'c.test', ...pair);
  expect(ran).toMatchObject({ code: 0, stdout: 'OK: host added\n' });
  expect(ran.stderr).toContain('WARNING: host c.test: its certificate does not name it, but b.test');
  await ok('host', 'rm', '-name', 'c.test');
});

test('a host keeps its key pair sealed, and what is not said of it', async () => {
  const key = await ok('secret', 'new_key');
  expect(key).toMatch(/^[0-9a-f]{64}$/);
  const pair = ['-privateKey', 'a.key', '-cert', 'a.pem'];
  expect(await ok('host', 'upsert', '-name', 'A.test', ...pair, '-sealKey', key)).toBe('OK: host added\n');
  expect(await ok('host', 'upsert', '-name', 'a.test', '-default', '-ocspPeriod', '2h')).toBe(
    'OK: host added\n',
  );
  const host = JSON.parse(await ok('host', 'show', '-name', 'a.test', '--json'));
  expect(host.Settings).toMatchObject({ Default: true, OCSP: { Enabled: false, Period: '2h0m0s' } });
  const read = (name: string): string => readFileSync(join(at.dir, name), 'utf8');
  expect(openKeyPair(host.Settings.KeyPair, key)).toEqual({ cert: read('a.pem'), key: read('a.key') });
  expect(await ok('host', 'ls')).toBe('\n[Hosts]\nName       Default\na.test     true\n');
  const sealed = await ok('secret', 'seal_keypair', ...pair, '-sealKey', key);
  expect(openKeyPair(Buffer.from(sealed).toString('base64'), key).cert).toBe(read('a.pem'));
  expect(await ok('host', 'rm', '-name', 'a.test')).toBe('OK: host deleted\n');
});

test('a seal key is written for its owner alone and never over another', async () => {
  expect(await ok('secret', 'new_key', '-f', 'seal.key')).toBe('');
  expect(statSync(join(at.dir, 'seal.key')).mode & 0o777).toBe(0o600);
  const before = readFileSync(join(at.dir, 'seal.key'), 'utf8');
  expect(await at.run('secret', 'new_key', '-f', 'seal.key')).toMatchObject({ code: 1 });
  expect(readFileSync(join(at.dir, 'seal.key'), 'utf8')).toBe(before);
});

test('severities', async () => {
  for (const [said, shown] of [
    ['info', 'info'],
    ['warn', 'warning'],
    ['error', 'error'],
  ]) {
    expect(await ok('log', 'set_severity', '-s', said ?? '')).toBe('OK: log severity updated\n');
    expect(await ok('log', 'get_severity')).toBe(`OK: severity: ${shown}\n`);
  }
});

const KEY = 'ab'.repeat(32);
test.each([
  ['no seal key', 'host upsert -name a.test -privateKey a.key -cert a.pem', 1, /no seal key is given/],
  ['a bad seal key', 'host upsert -name a.test -privateKey a.key -cert a.pem -sealKey x', 1, /64 hex digits/],
  [
    'a stranger’s key',
    `host upsert -name a.test -privateKey b.key -cert a.pem -sealKey ${KEY}`,
    1,
    /b\.key is not the private key of a\.pem/,
  ],
  ['half a pair', `host upsert -name a.test -cert a.pem -sealKey ${KEY}`, 1, /failed to read key pair/],
  [
    'no such file',
    `host upsert -name a.test -privateKey no -cert a.pem -sealKey ${KEY}`,
    1,
    /failed to read key pair: no: ENOENT/,
  ],
  ['no host name', 'host upsert', 1, /Hostname can not be empty/],
  ['a host with a port', 'host upsert -name a.test:80', 1, /not a host name/],
  ['no server id', 'server upsert -b b1 -url http://a:1', 1, /backend id and server id can not be empty/],
  ['no middleware id', 'connlimit upsert -f f1', 1, /frontend id and middleware id can not be empty/],
  [
    'a variable of garbage',
    'connlimit upsert -f f1 -id c -variable x',
    1,
    /unsupported limiting variable: 'x'/,
  ],
  ['a regexp of garbage', 'rewrite upsert -f f1 -id w9 -regexp [', 1, /Regexp/],
  ['a condition of garbage', 'cbreaker upsert -f f1 -id c -condition x -fallback {}', 1, /condition/],
  ['a severity of garbage', 'log set_severity -s x', 1, /not a valid logrus Level: "x"/],
  ['a number of garbage', 'connlimit upsert -f f1 -id c -conns x', 64, /integer/],
  ['a slip in a flag', 'frontend upsert -idd f1', 64, /unknown flag --idd/],
  ['a flag without its value', 'server rm -b -id s1', 64, /--backend expects a value/],
  ['vctl’s own --vulcan without its URL', 'frontend ls --vulcan', 64, /provide a valid vulcan URL/],
  ['servers of nowhere', 'server ls -b b2', 1, /Key not found.*b2[\s\S]*did you mean b1/],
  ['a frontend that is not there', 'frontend show f2', 1, /Key not found.*f2[\s\S]*did you mean f1/],
  ['a time to wait of garbage', 'frontend upsert -id f1 -b b1 --wait-timeout x', 1, /is not a duration/],
])('%s: one line, a hint, nothing changed', async (_, line, code, message) => {
  const before = await store.range('/');
  const ran = await at.run(...line.split(' '));
  expect(ran.stderr).toMatch(message);
  expect(ran.stderr).toMatch(/^ {2}try: /m);
  expect(ran).toMatchObject({ code, stdout: '' });
  expect((await store.range('/')).entries).toEqual(before.entries);
});

test('vctl’s own --vulcan is ignored with a warning, wherever it stands', async () => {
  const plain = await at.run('frontend', 'ls');
  for (const line of ['--vulcan http://v:8182 frontend ls', 'frontend ls -vulcan=http://v:8182']) {
    const ran = await at.run(...line.split(' '));
    expect(ran).toMatchObject({ code: 0, stdout: plain.stdout });
    expect(ran.stderr).toBe('WARNING: --vulcan is ignored: cluster uses the registry itself (--endpoint)\n');
  }
});
