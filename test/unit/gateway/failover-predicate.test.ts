import { describe, expect, test } from 'vitest';
import { failover, USUAL } from '../../../src/lib/gateway/haproxy/translate/failover.ts';

describe('FailoverPredicate', () => {
  const usual = ['conn-failure', 'empty-response', 'response-timeout', '502', '504'];

  test.each([
    ['', { tag: '', retries: 1, methods: ['GET'], on: usual }, []],
    [
      'IsNetworkError() && RequestMethod() == "GET" && Attempts() < 2',
      { tag: '', retries: 1, methods: ['GET'], on: usual },
      [],
    ],
    ['IsNetworkError()', { retries: 10, methods: null, on: usual }, []],
    [
      'ResponseCode() == 503 && Attempts() <= 2',
      { retries: 2, methods: null, on: ['conn-failure', '503'] },
      [],
    ],
    [
      '(RequestMethod() == "GET" || RequestMethod() == "BREW") && IsNetworkError() && Attempts() < 3',
      { retries: 2, methods: ['GET', 'BREW'], on: usual },
      [],
    ],
    ['Attempts() < 1', { retries: 0, methods: [], on: ['none'] }, []],
    [
      'ResponseCode() == 429 && Attempts() < 3',
      { retries: 0, on: ['none'] },
      [/answers such as 429 are not retried/],
    ],
    ['Attempts() == 3', { retries: 0, on: ['none'] }, [/never holds after the first attempt/]],
    [
      'RequestMethod() != "POST" && IsNetworkError()',
      { retries: 10, on: usual },
      [/methods that are not usual/],
    ],
    [
      '(RequestMethod() == "GET" && IsNetworkError() && Attempts() < 4) || (RequestMethod() == "POST" && ResponseCode() == 502 && Attempts() < 2)',
      { retries: 1, methods: ['GET', 'POST'], on: ['conn-failure', 'empty-response', '502'] },
      [/only GET, POST are retried, once, on 502/],
    ],
  ])('%s', (predicate, profile, notes) => {
    const found = failover(predicate);
    expect(found.profile).toMatchObject(profile);
    expect(found.notes.length).toBe(notes.length);
    for (const [index, note] of notes.entries()) expect(found.notes[index]).toMatch(note);
  });

  test('the default predicate gives the usual profile', () => expect(failover('').profile).toBe(USUAL));

  test('profiles that differ have tags that differ', () => {
    const tags = ['', 'IsNetworkError()', 'ResponseCode() == 503', 'Attempts() < 1'].map(
      (text) => failover(text).profile.tag,
    );
    expect(new Set(tags).size).toBe(tags.length);
  });
});
