import { describe, expect, test } from 'vitest';
import { grouped } from '../../../src/lib/ui/group.ts';

const about = (unit: string, ...lines: string[]) => ({ about: unit, lines });

describe('remarks that say the same of several units', () => {
  test('become one with their number and first names', () => {
    const one = (n: number) =>
      about(`h@${n}.service`, 'Error: no template Unit(h@.service)', '  try: write h@.service');
    expect(grouped(Array.from({ length: 30 }, (_, at) => one(at + 1)))).toEqual([
      [
        'Error: no template Unit(h@.service) (30 units: h@1.service, h@2.service, h@3.service, h@4.service, h@5.service, ...)',
        '  try: write h@.service',
      ],
    ]);
  });

  test('are compared without the name of the unit, and keep their order', () => {
    const remarks = [
      about('a.service', 'a.service failed', '  try: cluster journal a.service'),
      about('c.service', 'c.service is odd'),
      about('b.service', 'b.service failed', '  try: cluster journal b.service'),
    ];
    expect(grouped(remarks)).toEqual([
      ['a.service failed (2 units: a.service, b.service)', '  try: cluster journal a.service'],
      ['c.service is odd'],
    ]);
  });

  test('may differ in the machine, and in numbers of journal lines', () => {
    const on = (unit: string, machine: string, pid: number, how = 'exit status 1') => ({
      ...about(unit, `Error: unit ${unit} failed on ${machine}: ${how}`, `  | ${unit}[${pid}]: why`),
      besides: [machine],
    });
    const alike = [on('a.service', 'M1', 12), on('b.service', 'M2', 345)];
    expect(grouped(alike)).toHaveLength(1);
    expect(grouped([...alike, on('c.service', 'M1', 12, 'exit status 2')])).toHaveLength(2);
  });

  test('a first line that ends in a colon keeps it', () => {
    const refused = (unit: string) => about(unit, `unit ${unit} fits nowhere:`, '  M1  conflicts: x');
    expect(grouped([refused('a.service'), refused('b.service')])[0]?.[0]).toBe(
      'unit a.service fits nowhere (2 units: a.service, b.service):',
    );
  });

  test('the same about nothing in particular is counted', () => {
    expect(grouped([{ lines: ['odd'] }, { lines: ['odd'] }, { lines: ['other'] }])).toEqual([
      ['odd (2 times)'],
      ['other'],
    ]);
  });
});
