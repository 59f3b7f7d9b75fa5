import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  candidates,
  escapeName,
  escapePath,
  expandRanges,
  mangle,
  nearest,
  outdatedInstances,
  parseUnitName,
  unescapeName,
  unescapePath,
} from '../../../src/lib/unit/index.ts';
import { refusal } from './support.ts';

describe('names', () => {
  test('has its parts', () => {
    expect(parseUnitName('a.b@c@d.service')).toEqual({
      full: 'a.b@c@d.service',
      name: 'a.b@c@d',
      prefix: 'a.b',
      instance: 'c@d',
      type: 'service',
      isTemplate: false,
      isInstance: true,
      template: 'a.b@.service',
    });
    expect(parseUnitName('a@.socket')).toMatchObject({
      instance: null,
      isTemplate: true,
      template: 'a@.socket',
    });
    expect(parseUnitName('a.mount')).toMatchObject({ instance: null, isTemplate: false, template: null });
  });

  test('has 255 bytes at most', () => {
    expect(parseUnitName(`${'x'.repeat(247)}.service`).prefix).toHaveLength(247);
    expect(refusal(() => parseUnitName(`${'x'.repeat(248)}.service`)).message).toContain(
      'exceeds maximum length (255)',
    );
  });

  test.each([
    'x;reboot.service',
    '$(id).service',
    'a b.service',
    'a\nb.service',
    '.service',
    'ä.service',
    'a/b.service',
  ])('refuses %j', (name) => expect(refusal(() => parseUnitName(name)).code).toBe('bad-unit-name'));

  test.each([
    ['a', 'a.service'],
    ['./u/a.timer', 'a.timer'],
    ['x.slice', 'x.slice'],
    ['demo@1', 'demo@1.service'],
    ['a.conf', 'a.conf.service'],
  ])('mangles %s to %s', (argument, name) => expect(mangle(argument)).toBe(name));

  test('offers what was probably meant', () => {
    expect(refusal(() => parseUnitName('a.servce')).hint).toBe('did you mean .service?');
    expect(nearest('conflict', ['Conflicts', 'Replaces'])).toBe('Conflicts');
    expect(nearest('zebra', ['Conflicts', 'Replaces'])).toBeNull();
  });
});

describe('escaping', () => {
  test.each([
    ['.a/b-c d', '\\x2ea-b\\x2dc\\x20d'],
    ['a@é', 'a\\x40\\xc3\\xa9'],
  ])('%s is %s', (text, escaped) => expect(escapeName(text)).toBe(escaped));

  test.each([
    ['/', '-'],
    ['//mnt/./my disk/', 'mnt-my\\x20disk'],
  ])('path %s is %s', (text, escaped) => expect(escapePath(text)).toBe(escaped));

  test('comes back', () => {
    const text = fc.string({ unit: 'grapheme' });
    fc.assert(
      fc.property(text, (one) => {
        expect(unescapeName(escapeName(one))).toBe(one);
      }),
    );
    expect(unescapePath(escapePath('/a/b-c'))).toBe('/a/b-c');
    expect(unescapePath('-')).toBe('/');
  });

  test.each(['a\\', '\\xg0', '\\xff'])('cannot unescape %j', (text) =>
    expect(refusal(() => unescapeName(text)).code).toBe('bad-escape'),
  );
  test('has no name for ..', () => expect(refusal(() => escapePath('/a/../b')).code).toBe('bad-escape'));
});

describe('ranges', () => {
  test.each([
    ['a.service', ['a.service']],
    ['demo@<1..3>.service', ['demo@1.service', 'demo@2.service', 'demo@3.service']],
    ['d/{a,b}@{1..2}', ['d/a@1', 'd/a@2', 'd/b@1', 'd/b@2']],
    ['a@<08..10>', ['a@08', 'a@09', 'a@10']],
    ['a@<1,5..6,x>', ['a@1', 'a@5', 'a@6', 'a@x']],
    ['a@<a..c>', ['a@a', 'a@b', 'a@c']],
    ['a@<0..1>', ['a@0', 'a@1']],
    ['demo@.service', ['demo@.service']],
  ])('%s', (argument, expected) => expect(expandRanges(argument)).toEqual(expected));

  test.each([
    ['a@<>.service', 'range-empty'],
    ['a@<1..>', 'range-empty'],
    ['a@{a,}', 'range-empty'],
    ['a@<3..1>', 'range-reversed'],
    ['a@<1..10001>', 'range-too-large'],
    ['a@<1..99999999999999999999>', 'range-too-large'],
    ['a<1..101>@<1..100>', 'range-too-large'],
    ['a@<1..3', 'range-syntax'],
    ['a@<1..x>', 'range-syntax'],
    ['a@{1,{2}}', 'range-syntax'],
    ['demo@', 'range-eaten'],
    ['units/demo@', 'range-eaten'],
  ])('%s is refused: %s', (argument, code) => expect(refusal(() => expandRanges(argument)).code).toBe(code));

  test('shows the quoted form of an eaten range', () =>
    expect(refusal(() => expandRanges('demo@')).hint).toContain("'demo@<1..3>.service'"));

  test('makes as many names as the product of its ranges, all different', () => {
    const range = fc.tuple(fc.nat(500), fc.nat(12));
    fc.assert(
      fc.property(fc.array(range, { minLength: 1, maxLength: 3 }), (ranges) => {
        const argument = `a${ranges.map(([from, more]) => `-<${from}..${from + more}>`).join('')}.service`;
        const made = expandRanges(argument);
        expect(made).toHaveLength(ranges.reduce((all, [, more]) => all * (more + 1), 1));
        expect(new Set(made).size).toBe(made.length);
      }),
    );
  });
});

describe('templates', () => {
  test('are looked for in this order', () => {
    expect(candidates('u/demo@2.service')).toEqual([
      { kind: 'registry-unit', name: 'demo@2.service' },
      { kind: 'file', path: 'u/demo@2.service' },
      { kind: 'registry-template', name: 'demo@.service' },
      { kind: 'file-template', path: 'u/demo@.service' },
    ]);
    expect(candidates('web')).toEqual([
      { kind: 'registry-unit', name: 'web.service' },
      { kind: 'file', path: 'web' },
      { kind: 'file', path: 'web.service' },
    ]);
    expect(candidates('demo@.service')).toHaveLength(2);
  });

  test('name the instances that are out of date', () => {
    const units = [
      'a@2.service:x',
      'a@1.service:x',
      'a@3.service:y',
      'b@1.service:x',
      'a@.service:x',
      'a@1.socket:x',
    ];
    const list = units.map((one) => ({ name: one.split(':')[0]!, hash: one.split(':')[1]! }));
    expect(outdatedInstances('a@.service', 'y', list)).toEqual(['a@1.service', 'a@2.service']);
  });
});
