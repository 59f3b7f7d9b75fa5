import { describe, expect, test } from 'vitest';
import { cpu } from '../../../../src/lib/plan/rules/cpu.ts';
import { memory } from '../../../../src/lib/plan/rules/memory.ts';
import { ask, expectAgreement, machine, unit } from './ask.ts';

const GB = 2 ** 30;
const machines = [
  machine('large', { facts: { memory: 2 * GB, cpus: 2 } }),
  machine('small', { facts: { memory: GB / 2, cpus: 1 } }),
  machine('unknown'),
];

describe.each([
  ['Memory=512M', '', [null, 'needs 512 MB, this machine has 461 MB of 461 MB left']],
  ['Memory=512M', 'Memory=1.5G', ['needs 512 MB, this machine has 307 MB of 1.8 GB left', '*']],
  ['Memory=461M', '', [null, 'needs 483393536 bytes, this machine has 483183820 of 461 MB left']],
  ['Memory=460M', '', [null, null]],
  ['', 'Memory=1.5G', [null, null]],
])('%s beside %s', (own, theirs, [large, small]) => {
  test('takes a newcomer where enough is left', () => {
    const units = [unit('a.service', theirs, 'large'), unit('b.service', own)];
    const answer = ask(memory, { machines, units }, 'b.service');
    expect(answer).toMatchObject({ large, unknown: null, ...(small !== '*' && { small }) });
  });
});

test.each([
  ['Cpu=500m', 'Cpu=1500m', null],
  ['Cpu=0.75', 'Cpu=1500m', 'needs 0.75 CPU, this machine has 0.5 of 2 CPUs left'],
  ['Cpu=2', 'Cpu=3', 'needs 2 CPUs, this machine has 0 of 2 CPUs left'],
])('%s beside %s', (own, theirs, large) => {
  const units = [unit('a.service', theirs, 'large'), unit('b.service', own)];
  expect(ask(cpu, { machines, units }, 'b.service')).toMatchObject({ large, unknown: null });
});

test('what a newcomer pushes away leaves its room', () => {
  const units = [
    unit('a.service', 'Memory=1.5G', 'large'),
    unit('b.service', 'Memory=1.2G\nReplaces=a.service'),
  ];
  expect(ask(memory, { machines, units }, 'b.service')).toMatchObject({ large: null });
});

test('a global unit needs a machine that is large enough, whatever is there', () => {
  const units = [unit('a.service', 'Memory=1.5G', 'large'), unit('b.service', 'Global=true\nMemory=1G')];
  expect(ask(memory, { machines, units }, 'b.service')).toEqual({
    large: null,
    small: 'needs 1 GB, this machine has 461 MB of 461 MB left',
    unknown: null,
  });
});

test.each([memory, cpu])('$name says the same for all machines and for one', (rule) => expectAgreement(rule));
