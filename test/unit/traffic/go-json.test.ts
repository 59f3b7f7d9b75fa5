import { describe, expect, test } from 'vitest';
import {
  keepUnknown,
  readBackend,
  readFrontend,
  readListener,
  readMiddleware,
  readServer,
  withoutReplaced,
} from '../../../src/lib/traffic/index.ts';

/** encoding/json of Go: names in any case, of several the last, null is absent. */
describe('stored values are read as Go reads them', () => {
  test.each([
    [{ Url: 'http://a:1' }],
    [{ url: 'http://a:1' }],
    [{ URL: 'http://b:1', url: 'http://a:1' }],
    [{ uRl: 'http://a:1', URL: null }],
  ])('server %j', (value) => {
    expect(readServer('s', value).URL).toBe('http://a:1');
  });

  test('frontend, backend and listener in lower case', () => {
    const frontend = { type: 'http', backendid: 'b', route: 'Path("/")', settings: { passhostheader: true } };
    expect(readFrontend('f', frontend)).toMatchObject({ BackendId: 'b', Settings: { PassHostHeader: true } });
    const backend = { type: 'http', settings: { timeouts: { read: '5s' } } };
    expect(readBackend('b', backend).Settings.Timeouts.Read).toBe('5s');
    const listener = { protocol: 'http', address: { network: 'tcp', address: ':80' } };
    expect(readListener('l', listener).Address).toEqual({ Network: 'tcp', Address: ':80' });
  });

  test.each(['__proto__', 'constructor'])('a field called %s is only unknown', (name) => {
    const value = JSON.parse(`{"URL":"http://a:1",${JSON.stringify(name)}:{"Weight":9}}`);
    expect(readServer('s', value)).toEqual({ Id: 's', URL: 'http://a:1', Weight: 1 });
  });
});

const breaker = (body: object) => ({ Type: 'cbreaker', Priority: 1, Middleware: body });

test('a circuit breaker as vctl stores it: parts as JSON text, none as an empty text', () => {
  const stored = breaker({
    Condition: 'NetworkErrorRatio() > 0.5',
    Fallback: '{"Type": "response", "Action": {"StatusCode": 400, "Body": "Come back later"}}',
    OnTripped: '',
    OnStandby: '{"type": "webhook", "action": {"url": "http://hook.example/x", "method": "POST"}}',
  });
  expect(readMiddleware('cb', stored).Middleware).toMatchObject({
    Fallback: { Type: 'response', Action: { StatusCode: 400, Body: 'Come back later' } },
    OnTripped: null,
    OnStandby: { Action: { URL: 'http://hook.example/x', Method: 'POST' } },
  });
});

test.each(['[]', '"x"', '{'])('a fallback that is the text %s is refused', (Fallback) => {
  const stored = breaker({ Condition: 'NetworkErrorRatio() > 0.5', Fallback });
  expect(() => readMiddleware('cb', stored)).toThrow('Fallback is not an object');
});

test('a write leaves one spelling of each field that we know', () => {
  const kept = keepUnknown(
    { url: 'http://old:1', note: 'x', settings: { own: 1 } },
    { URL: 'http://new:1', Settings: { a: 1 } },
  );
  expect(kept).toEqual({ URL: 'http://new:1', note: 'x', Settings: { a: 1, own: 1 } });
});

test('a part that is replaced goes in any spelling', () => {
  const stored = { middleware: { fallback: 'old', Condition: 'c' } };
  expect(withoutReplaced(stored, { fallback: '{}' })).toEqual({ middleware: { Condition: 'c' } });
});

test('an unsupported protocol is told in the words of vctl', () => {
  const listener = { Protocol: 'ftp', Address: { Network: 'tcp', Address: ':80' } };
  expect(() => readListener('l', listener)).toThrow(
    "unsupported protocol 'ftp', supported protocols are http and https",
  );
});
