import { describe, expect, test } from 'vitest';
import { certificateFaults, namesHost } from '../../../src/lib/traffic/certificate.ts';

const facts = { names: ['a.test', '*.b.test'], from: 1_000_000, until: 2_000_000 };

describe('what is said of a host’s certificate', () => {
  test.each([
    ['a.test', 1_500_000, []],
    ['x.b.test', 1_500_000, []],
    ['a.test', 2_000_001, ['the certificate expired at 1970-01-01T00:33:20Z']],
    ['a.test', 999_999, ['the certificate is not valid before 1970-01-01T00:16:40Z']],
    ['b.test', 1_500_000, ['the certificate does not name this host, but a.test, *.b.test']],
  ] as const)('%s at %d', (host, now, faults) => expect(certificateFaults(facts, host, now)).toEqual(faults));

  test('a wildcard stands for one label', () =>
    expect(
      ['x.b.test', 'y.x.b.test', 'B.test', 'A.TEST', '*.b.test'].map((host) => namesHost(facts, host)),
    ).toEqual([true, false, false, true, true]));
});
