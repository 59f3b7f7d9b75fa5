import { describe, expect, test } from 'vitest';
import { healthCheckOf, parseUnitFile, validateUnit } from '../../../src/lib/unit/index.ts';

const file = (value: string) => `[Service]\nExecStart=/bin/true\n[X-Fleet]\nHealthCheck=${value}\n`;
const check = (value: string) => healthCheckOf('web@3.service', parseUnitFile(file(value)));

describe('HealthCheck=', () => {
  test.each([
    ['http://127.0.0.1:8080/health', { kind: 'http', url: 'http://127.0.0.1:8080/health' }],
    ['http://[::1]:80%i/', { kind: 'http', url: 'http://[::1]:803/' }],
    ['/usr/bin/check "two words" %i', { kind: 'command', argv: ['/usr/bin/check', 'two words', '3'] }],
    ['', null],
  ])('%s', (value, expected) => {
    expect(check(value)).toEqual(expected);
    expect(() => validateUnit('web@3.service', file(value))).not.toThrow();
  });

  test.each([
    ['https://127.0.0.1/', 'scheme "https" is not known'],
    ['tcp://127.0.0.1:80', 'scheme "tcp" is not known'],
    ['http://', 'not a URL'],
    ['http://user:word@127.0.0.1/', 'a URL with a user or password is not asked'],
    ['curl localhost', 'neither an http URL nor a command with an absolute path'],
    ['localhost/health', 'neither an http URL nor a command with an absolute path'],
  ])('%s is refused with its line', (value, message) => {
    expect(() => validateUnit('web@3.service', file(value))).toThrow(
      expect.objectContaining({
        code: 'bad-health-check',
        message: expect.stringContaining(message),
        place: expect.objectContaining({ line: 4 }),
      }),
    );
  });

  test('a file without it has none', () => {
    expect(healthCheckOf('a.service', parseUnitFile('[Service]\n'))).toBeNull();
  });
});
