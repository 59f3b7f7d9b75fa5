import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type BreakerMetrics,
  evaluateCondition,
  evaluatePredicate,
  parseCondition,
  parsePredicate,
} from '../../../src/lib/route/index.ts';
import { refusal } from './support.ts';

const attempt = { networkError: true, attempts: 2, method: 'GET', status: 502 };

describe('parsePredicate', () => {
  test.each([
    ['IsNetworkError()', true],
    ['Attempts() < 2', false],
    ['Attempts() <= 2', true],
    ['Attempts() != 2 || ResponseCode() >= 502', true],
    ['RequestMethod() != `GET`', false],
    ['IsNetworkError() && (RequestMethod() == "POST" || ResponseCode() == 502)', true],
    ['RequestMethod() == "POST" && IsNetworkError() || Attempts() > 1', true],
    ['IsNetworkError() && RequestMethod() == ("GET") &&\n Attempts() < 010', true],
  ])('%s is %s', (text, wanted) => {
    expect(evaluatePredicate(parsePredicate(text), attempt)).toBe(wanted);
  });

  test.each([
    ['', 'failover predicate: expected a function such as Attempts() but found the end, at character 1: >>>'],
    [
      'Attempts <= 2',
      'failover predicate: expected ( after "Attempts" but found "<=", at character 10: Attempts >>><= 2',
    ],
    [
      'Attempts()',
      'failover predicate: Attempts() must be compared with something, at character 1: >>>Attempts()',
    ],
    [
      '2 < Attempts()',
      'failover predicate: the left of < must be a function, at character 1: >>>2 < Attempts()',
    ],
    ['Attempts() < 2.0', 'failover predicate: expected a whole number, at character 14: Attempts() < >>>2.0'],
    [
      'Attempts() < 1 < 2',
      'failover predicate: the left of < must be a function, at character 12: Attempts() >>>< 1 < 2',
    ],
    [
      'RequestMethod() > "GET"',
      'failover predicate: methods are compared with == and != only, at character 17: RequestMethod() >>>> "GET"',
    ],
    [
      'IsNetworkError() == 1',
      'failover predicate: IsNetworkError() is true or false already, it cannot be compared, at character 18: IsNetworkError() >>>== 1',
    ],
    [
      '!IsNetworkError()',
      'failover predicate: there is no !; turn the comparison round, at character 1: >>>!IsNetworkError()',
    ],
    [
      'IsNetworkError(1)',
      'failover predicate: IsNetworkError() takes no arguments, at character 16: IsNetworkError(>>>1)',
    ],
    [
      'IsNetworkError()\n&& Attempts() < 2',
      'failover predicate: a line break before this; put && at the line end, at character 18: IsNetworkError() >>>&& Attempts() < 2',
    ],
    [
      'Host("a")',
      'failover predicate: no function "Host"; there are IsNetworkError, Attempts, RequestMethod, ResponseCode, at character 1: >>>Host("a")',
    ],
    [
      'Attempts() < 99999999999999999999',
      'failover predicate: a number that is too large, at character 14: Attempts() < >>>99999999999999999999',
    ],
    [
      'Attempts() < 1_0',
      'failover predicate: a number that cannot be read, at character 14: Attempts() < >>>1_0',
    ],
    ['Attempts() < -1', 'failover predicate: "-" has no meaning here, at character 14: Attempts() < >>>-1'],
  ])('refuses %j', (text, message) => {
    const error = refusal(() => parsePredicate(text));
    expect(error).toMatchObject({ code: 'predicate-syntax', message });
  });

  test('binds && before ||, as numbers do', () => {
    const partArb = fc.constantFrom('IsNetworkError()', 'Attempts() < 3', 'ResponseCode() == 200');
    const textArb = fc.array(fc.tuple(partArb, fc.constantFrom('&&', '||')), { minLength: 1, maxLength: 8 });
    const attemptArb = fc.record({
      networkError: fc.boolean(),
      attempts: fc.integer({ min: 1, max: 5 }),
      method: fc.constant('GET'),
      status: fc.constantFrom(200, 502),
    });
    fc.assert(
      fc.property(textArb, attemptArb, (parts, one) => {
        const text = parts.map(([part, join], i) => (i === 0 ? part : `${join} ${part}`)).join(' ');
        const value = (part: string): number =>
          Number(
            { 'IsNetworkError()': one.networkError, 'Attempts() < 3': one.attempts < 3 }[part] ??
              one.status === 200,
          );
        const wanted = text.split(' || ').some((all) => all.split(' && ').every((part) => value(part) === 1));
        expect(evaluatePredicate(parsePredicate(text), one)).toBe(wanted);
      }),
    );
  });
});

describe('parseCondition', () => {
  const metrics: BreakerMetrics = {
    networkErrorRatio: 0.6,
    latencyMs: (quantile) => (quantile === 50 ? 50.9 : 200),
    codeRatio: (a, b, c, d) => (a === 500 && b === 600 && c === 0 && d === 600 ? 0.25 : 0),
  };

  test.each([
    ['NetworkErrorRatio() > 0.5', true],
    ['NetworkErrorRatio() <= .5', false],
    ['LatencyAtQuantileMS(50.0) > 50', false],
    ['LatencyAtQuantileMS(50.0) == 50', true],
    ['LatencyAtQuantileMS(99.9) >= 200 && ResponseCodeRatio(500, 600, 0, 600) == 0.25', true],
    ['NetworkErrorRatio() != 0.6 || (ResponseCodeRatio(500, 600, 0, 600,) < 1e0)', true],
  ])('%s is %s', (text, wanted) => {
    expect(evaluateCondition(parseCondition(text), metrics)).toBe(wanted);
  });

  test.each([
    [
      'NetworkErrorRatio()',
      'circuit breaker condition: expected a comparison such as NetworkErrorRatio() > 0.5, at character 1: >>>NetworkErrorRatio()',
    ],
    [
      'NetworkErrorRatio() > 1',
      'circuit breaker condition: expected a decimal number such as 0.5, at character 23: NetworkErrorRatio() > >>>1',
    ],
    [
      'LatencyAtQuantileMS(50) > 1',
      'circuit breaker condition: expected a decimal number such as 0.5, at character 21: LatencyAtQuantileMS(>>>50) > 1',
    ],
    [
      'LatencyAtQuantileMS(50.0) > 1.5',
      'circuit breaker condition: expected a whole number such as 50, at character 29: LatencyAtQuantileMS(50.0) > >>>1.5',
    ],
    [
      'ResponseCodeRatio(500, 600) > 0.5',
      'circuit breaker condition: ResponseCodeRatio takes 4 arguments, at character 1: >>>ResponseCodeRatio(500, 600) > ...',
    ],
    [
      'Attempts() > 1',
      'circuit breaker condition: no function "Attempts"; there are NetworkErrorRatio, LatencyAtQuantileMS, ResponseCodeRatio, at character 1: >>>Attempts() > 1',
    ],
    [
      '!(NetworkErrorRatio() > 0.5)',
      'circuit breaker condition: there is no !; turn the comparison round, at character 1: >>>!(NetworkErrorRatio() > 0.5)',
    ],
  ])('refuses %j', (text, message) => {
    const error = refusal(() => parseCondition(text));
    expect(error).toMatchObject({ code: 'condition-syntax', message });
  });
});
