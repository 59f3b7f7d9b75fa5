import { expect, test } from 'vitest';
import { ports } from '../../../../src/lib/plan/rules/ports.ts';
import { ask, expectAgreement, machine, unit } from './ask.ts';

const machines = [machine('A'), machine('B')];

test.each([
  ['the same port', 'Ports=80', 'Ports=80', 'port 80 is taken by a.service, which is here'],
  ['another port', 'Ports=80', 'Ports=81', null],
  ['ranges that meet', 'Ports=80-90', 'Ports=85-99', 'port 85 is taken by a.service, which is here'],
  ['ranges beside each other', 'Ports=80-90', 'Ports=91-99', null],
  ['one of several', 'Ports=80 443', 'Ports=443', 'port 443 is taken by a.service, which is here'],
  ['lines add up', 'Ports=80\nPorts=443', 'Ports=80', 'port 80 is taken by a.service, which is here'],
  ['a port of the one that it replaces', 'Ports=80', 'Ports=80\nReplaces=a.service', null],
  ['no ports', 'Ports=80', '', null],
])('%s', (_title, theirs, own, expected) => {
  const units = [unit('a.service', theirs, 'A'), unit('b.service', own)];
  expect(ask(ports, { machines, units }, 'b.service')).toEqual({ A: expected, B: null });
});

test('a global unit has its ports on each of its machines', () => {
  const units = [unit('a.service', 'Global=true\nPorts=80', ['A', 'B']), unit('b.service', 'Ports=80')];
  const why = 'port 80 is taken by a.service, which is here';
  expect(ask(ports, { machines, units }, 'b.service')).toEqual({ A: why, B: why });
});

test('says the same for all machines and for one', () => expectAgreement(ports));
