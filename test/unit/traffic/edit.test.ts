import nacl from 'tweetnacl';
import { describe, expect, test } from 'vitest';
import { vctlArguments, withoutVulcan } from '../../../src/cli/vctl.ts';
import { ClusterError } from '../../../src/lib/error.ts';
import {
  editBackend,
  editFrontend,
  editMiddleware,
  newBackend,
  readBackend,
  readFrontend,
  readMiddleware,
  readServerUrl,
  storedBackend,
  storedServer,
  withoutReplaced,
} from '../../../src/lib/traffic/index.ts';
import { openKeyPair, sealKeyPair } from '../../../src/lib/traffic/seal.ts';

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof ClusterError) return error.code;
    throw error;
  }
  return 'none';
};

test('what is not said stays', () => {
  const before = editBackend(newBackend('b'), { readTimeout: '90s', tlsCs: ['TLS_A'], stickyCookie: 'S' });
  const after = editBackend(before, { dialTimeout: '1500ms', maxIdleConns: 5 });
  expect(after.Settings).toMatchObject({
    Timeouts: { Read: '1m30s', Dial: '1.5s', TLSHandshake: '0s' },
    KeepAlive: { Period: '0s', MaxIdleConnsPerHost: 5 },
    TLS: { CipherSuites: ['TLS_A'] },
    StickyCookie: 'S',
  });
  expect(readBackend('b', storedBackend(after, null))).toEqual(after);
});

test('our own fields are stored only where they say something, or would keep an old value', () => {
  const plain = { Id: 's', URL: 'http://a:1', Weight: 1 };
  expect(storedServer(plain, null)).toEqual({ Id: 's', URL: 'http://a:1' });
  expect(storedServer({ ...plain, Weight: 5 }, null)).toHaveProperty('Weight', 5);
  expect(storedServer(plain, { URL: 'http://a:1', Weight: 5 })).toHaveProperty('Weight', 1);
  const { Settings } = storedBackend(newBackend('b'), { Settings: { StickyCookie: 'old' } });
  expect(Settings).toHaveProperty('StickyCookie', '');
});

test('body limits are said in KiB', () => {
  const frontend = readFrontend('f', { Type: 'http', BackendId: 'b', Route: 'Path("/")' });
  const { Settings } = editFrontend(frontend, 'c', { maxBodyKb: 7, passHostHeader: true });
  expect(Settings.Limits).toEqual({ MaxMemBodyBytes: 0, MaxBodyBytes: 7168 });
  expect(Settings.PassHostHeader).toBe(true);
});

test.each(['', '5', 'x', '-1s'])('%j is no duration', (readTimeout) => {
  expect(codeOf(() => editBackend(newBackend('b'), { readTimeout }))).toBe('bad-duration');
});

test('a webhook that is said replaces the old one, headers too', () => {
  const hook = (name: string) =>
    JSON.stringify({ Type: 'webhook', Action: { URL: 'http://h', Headers: { [name]: ['1'] } } });
  const fallback = '{"Type":"redirect","Action":{"URL":"http://x"}}';
  const said = { condition: 'NetworkErrorRatio() > 0.5', fallback, onTripped: hook('X-A') };
  const first = editMiddleware('cbreaker', 'c', null, said);
  expect(first).toMatchObject({ Priority: 1, Middleware: { CheckPeriod: 1e8, FallbackDuration: 1e10 } });
  const current = readMiddleware('c', first);
  const second = editMiddleware('cbreaker', 'c', current, { onTripped: hook('X-B'), checkPeriod: '1s' });
  expect(second.Middleware).toMatchObject({
    CheckPeriod: 1e9,
    OnTripped: { Action: { Headers: { 'X-B': ['1'] } } },
  });
  const left = withoutReplaced({ ...first, Theirs: 1 }, { onTripped: 'x' });
  expect(left).toMatchObject({ Theirs: 1, Middleware: { Condition: 'NetworkErrorRatio() > 0.5' } });
  expect(left?.Middleware).not.toHaveProperty('OnTripped');
  expect(codeOf(() => editMiddleware('cbreaker', 'c', null, { fallback: '[1]' }))).toBe('bad-json');
});

const FLAGS = {
  id: { type: 'option' },
  backend: { type: 'option', char: 'b' },
  'read-timeout': { type: 'option' },
  'tls-min-v': { type: 'option' },
  'max-mem-body-kb': { type: 'option' },
  variable: { type: 'option', aliases: ['var'] },
  ocsp: { type: 'boolean', allowNo: true },
  json: { type: 'boolean' },
};

test.each([
  ['-id f1 -b b1', '--id=f1 --backend=b1'],
  ['--id f1 --b=b1', '--id=f1 --backend=b1'],
  ['-readTimeout=5s -tlsMinV VersionTLS11', '--read-timeout=5s --tls-min-v=VersionTLS11'],
  ['-maxMemBodyKB 6 --max-mem-body-kb 7', '--max-mem-body-kb=6 --max-mem-body-kb=7'],
  ['-var client.ip', '--variable=client.ip'],
  ['-ocsp --json', '--ocsp --json'],
  ['-ocsp=false -json=false -ocsp=1', '--no-ocsp --ocsp'],
  ['-id -5', '--id=-5'],
  ['-idd f1 -x --nope', '--idd f1 -x --nope'],
  ['show f1 -- -id x', 'show f1 -- -id x'],
])('vctl %s is %s', (typed, ours) => {
  expect(vctlArguments(typed.split(' '), FLAGS).join(' ')).toBe(ours);
});

test.each(['-id --json', '-id', '-b -id -5'])('vctl %s lacks a value', (typed) => {
  expect(codeOf(() => vctlArguments(typed.split(' '), FLAGS))).toBe('usage');
});

const KEY = 'ab'.repeat(32);
const PAIR = { cert: '-----BEGIN CERTIFICATE-----\n', key: '-----BEGIN PRIVATE KEY-----\n' };
const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64');

test('a key pair that is sealed opens with its key only', () => {
  const json = sealKeyPair(PAIR, KEY, new Uint8Array(24).fill(7));
  expect(Object.keys(JSON.parse(json))).toEqual(['Encryption', 'Value']);
  expect(openKeyPair(base64(json), KEY)).toEqual(PAIR);
  expect(codeOf(() => openKeyPair(base64(json), 'cd'.repeat(32)))).toBe('bad-sealed-value');
  expect(codeOf(() => openKeyPair(base64(json), 'short'))).toBe('bad-seal-key');
});

test("what Go's secretbox sealed opens: 16 bytes of tag, then the text", () => {
  const nonce = nacl.randomBytes(24);
  const plain = JSON.stringify({ Key: base64(PAIR.key), Cert: base64(PAIR.cert) });
  const Val = base64(nacl.secretbox(Buffer.from(plain), nonce, Buffer.from(KEY, 'hex')));
  const sealed = { Encryption: 'secretbox.v1', Value: { Val, Nonce: base64(nonce) } };
  expect(openKeyPair(base64(JSON.stringify(sealed)), KEY)).toEqual(PAIR);
});

test.each([
  '',
  'no base64!',
  base64('{}'),
  base64('{"Encryption":"secretbox.v1"}'),
  base64('{"Encryption":"x"}'),
])('%j is no sealed key pair', (sealed) => {
  expect(codeOf(() => openKeyPair(sealed, KEY))).toBe('bad-sealed-value');
});

test('a URL’s scheme may be in capitals, as for Go', () =>
  expect(readServerUrl('HTTPS://h')).toEqual({ scheme: 'https', host: 'h', port: 443 }));

describe("vctl's --vulcan", () => {
  test.each([
    [
      ['-vulcan', 'http://v:8182', '-id', 'a'],
      ['-id', 'a'],
    ],
    [
      ['-id', 'a', '--vulcan=http://v:8182'],
      ['-id', 'a'],
    ],
    [
      ['-id', 'a'],
      ['-id', 'a'],
    ],
    [
      ['-id', 'a', '--', '--vulcan', 'x'],
      ['-id', 'a', '--', '--vulcan', 'x'],
    ],
  ])('%j is read as %j', (argv, left) => {
    expect(withoutVulcan(argv)).toEqual(left);
  });

  test('needs its URL', () => {
    expect(() => withoutVulcan(['-id', 'a', '--vulcan'])).toThrow('provide a valid vulcan URL');
  });
});
