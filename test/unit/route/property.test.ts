import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ClusterError } from '../../../src/lib/error.ts';
import { toPcre } from '../../../src/lib/gateway/haproxy/regexp/pcre.ts';
import {
  compareRanked,
  conditionHolds,
  conjunctions,
  MAX_CONJUNCTIONS,
  matches,
  parseCondition,
  parsePredicate,
  parseRoute,
  printConjunction,
  printRoute,
  rules,
  select,
} from '../../../src/lib/route/index.ts';
import { compileRegexp } from '../../../src/lib/route/regexp.ts';
import { request, requestArb, routeTextArb } from './support.ts';

const RUNS = { numRuns: 500 };

const frontendsArb = fc
  .array(fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd', 'e'), text: routeTextArb }), { maxLength: 5 })
  .map((list) => [...new Map(list.map((one) => [one.id, one])).values()])
  .map((list) => list.map(({ id, text }) => ({ id, route: parseRoute(text) })));

const neverThrowsElse = (run: (text: string) => unknown, arb: fc.Arbitrary<string>): void =>
  fc.assert(
    fc.property(arb, (text) => {
      try {
        run(text);
      } catch (error) {
        expect(error).toBeInstanceOf(ClusterError);
      }
    }),
    RUNS,
  );

const PIECES = [
  'Host',
  'Path',
  'PathRegexp',
  'Header',
  'Attempts',
  '(',
  ')',
  '"a"',
  '`<x>`',
  ',',
  '&&',
  '||',
  '!',
  '==',
  '<',
  '1',
  '1.5',
  '\n',
  ' ',
  '"\\',
  '/*',
  '"<int:>"',
  '\ud800',
  '\0',
];
const soupArb = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.constantFrom(...PIECES), { maxLength: 30 }).map((pieces) => pieces.join('')),
);

describe('routes', { timeout: 30_000 }, () => {
  test('are read from what they print', () => {
    fc.assert(
      fc.property(routeTextArb, (text) => {
        const route = parseRoute(text);
        const again = parseRoute(printRoute(route));
        expect(printRoute(again)).toBe(printRoute(route));
        expect(again.conjunctions).toEqual(route.conjunctions);
      }),
      RUNS,
    );
  });

  test('print any value so that it is read again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (value) => {
        fc.pre(!/[<\0\ufeff\p{Cs}]/u.test(value));
        const route = parseRoute(
          `Path(${JSON.stringify(value).replace(/[\u007f-\u009f]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`)})`,
        );
        const again = parseRoute(printRoute(route));
        expect(again.expression).toEqual(route.expression);
        expect(again.expression).toMatchObject({ matcher: { value } });
      }),
      RUNS,
    );
  });

  test('say the same as their normal form', () => {
    fc.assert(
      fc.property(routeTextArb, requestArb, (text, asked) => {
        const route = parseRoute(text);
        const normal = conjunctions(route);
        expect(normal.length).toBeLessThanOrEqual(MAX_CONJUNCTIONS);
        expect(normal.some((all) => all.every((one) => conditionHolds(one, asked)))).toBe(
          matches(route, asked),
        );
      }),
      RUNS,
    );
  });

  test('have conjunctions that are routes themselves', () => {
    fc.assert(
      fc.property(routeTextArb, (text) => {
        for (const conjunction of conjunctions(parseRoute(text)))
          expect(conjunctions(parseRoute(printConjunction(conjunction)))).toEqual([conjunction]);
      }),
    );
  });

  test('have patterns that are the same as regular expressions, for RE2 and after translation', () => {
    const partArb = fc.constantFrom('<a>', '<int:n>', '<path:p>', '/', '.', 'a', '1', '/b');
    const subjectArb = fc.array(fc.constantFrom('/', '.', 'a', '1', 'b'), { maxLength: 6 });
    fc.assert(
      fc.property(fc.array(partArb, { minLength: 1, maxLength: 6 }), subjectArb, (parts, subject) => {
        const route = parseRoute(`Path("/${parts.join('')}")`);
        const { expression } = route;
        if (expression.kind !== 'matcher' || expression.matcher.form !== 'pattern') return;
        const path = `/${subject.join('')}`;
        const wanted = matches(route, request(path));
        for (const text of [expression.matcher.regexp, toPcre(expression.matcher.regexp)]) {
          const compiled = compileRegexp(text ?? '(');
          expect(typeof compiled === 'string' ? compiled : compiled.test(path)).toBe(wanted);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('select', { timeout: 30_000 }, () => {
  test('takes the frontend of the first rule that matches, and lists all that match', () => {
    fc.assert(
      fc.property(frontendsArb, requestArb, (frontends, asked) => {
        const { winner, matched, reason } = select(frontends, asked);
        const first = rules(frontends).find(({ conjunction }) =>
          conjunction.every((one) => conditionHolds(one, asked)),
        );
        expect(winner).toBe(first?.id ?? null);
        const all = frontends.filter(({ route }) => matches(route, asked)).map(({ id }) => id);
        expect([...matched].sort()).toEqual(all.sort());
        expect(matched[0] ?? null).toBe(winner);
        expect(reason).not.toContain('\n');
      }),
      RUNS,
    );
  });

  test('does not depend on the order of the frontends', () => {
    fc.assert(
      fc.property(frontendsArb, requestArb, (frontends, asked) => {
        expect(select([...frontends].reverse(), asked)).toEqual(select(frontends, asked));
      }),
      RUNS,
    );
  });

  test('rests on a total order', () => {
    fc.assert(
      fc.property(frontendsArb, (frontends) => {
        const all = rules(frontends);
        for (const a of all)
          for (const b of all) {
            expect(Math.sign(compareRanked(a, b))).toBe(-Math.sign(compareRanked(b, a)) + 0);
            if (a !== b) expect(compareRanked(a, b)).not.toBe(0);
            for (const c of all)
              if (compareRanked(a, b) < 0 && compareRanked(b, c) < 0)
                expect(compareRanked(a, c)).toBeLessThan(0);
          }
      }),
      { numRuns: 100 },
    );
  });
});

describe('readers', { timeout: 30_000 }, () => {
  test.each([
    ['parseRoute', parseRoute],
    ['parsePredicate', parsePredicate],
    ['parseCondition', parseCondition],
  ] as const)('%s throws nothing but ClusterErrors', (_name, run) => neverThrowsElse(run, soupArb));
});
