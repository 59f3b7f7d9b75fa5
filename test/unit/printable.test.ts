import { expect, test } from 'vitest';
import { ClusterError } from '../../src/lib/error.ts';
import { jsonLine, plainLine, Reporter, textLine } from '../../src/lib/keep/index.ts';
import { printable, printableInColour, printableJson, printableLines } from '../../src/lib/printable.ts';
import { report } from '../../src/lib/ui/errors.ts';
import { sentences } from '../../src/lib/ui/events.ts';
import { gatewayTable, topTables } from '../../src/lib/ui/gateways.ts';
import { planText } from '../../src/lib/ui/plan.ts';
import { renderTable } from '../../src/lib/ui/table.ts';
import { matchLines } from '../../src/lib/ui/traffic-change.ts';
import { HOSTILE, RAW } from '../support/hostile.ts';

test('what a terminal would act on is shown as an escape', () => {
  expect(printable('a\u001b[31mb\u009b2Jc\u202ed\u2028e\u061cf\u007fg')).toBe(
    'a\\x1b[31mb\\x9b2Jc\\u202ed\\u2028e\\u061cf\\x7fg',
  );
  expect(printable('one\ntwo\r\tthree')).toBe('one\\ntwo\\r\\tthree');
});

test('names in all scripts stay as they are', () => {
  const names = 'Grüße, 東京, שלום, مرحبا, 👩‍👩‍👧 ● └─ é';
  expect(printable(names)).toBe(names);
});

test('text of several lines keeps line ends and tabs, but no lone carriage return', () => {
  expect(printableLines('a\tb\r\nc\rd\n')).toBe('a\tb\nc\\rd\n');
});

test('our colours pass, other sequences do not', () => {
  expect(printableInColour('\u001b[31mred\u001b[39m\u001b[2J\u001b[8mhidden')).toBe(
    '\u001b[31mred\u001b[39m\\x1b[2J\\x1b[8mhidden',
  );
});

test('JSON has the same values and no raw control character', () => {
  const json = printableJson(JSON.stringify({ [HOSTILE]: [HOSTILE] }, null, 2));
  expect(JSON.parse(json)).toEqual({ [HOSTILE]: [HOSTILE] });
  expect(json).not.toMatch(RAW);
});

test('widths are counted as shown', () => {
  expect(
    renderTable(
      ['a', 'b'],
      [
        ['\u001b', 'x'],
        ['long', 'y'],
      ],
      false,
    ),
  ).toBe('\\x1b  x\nlong  y\n');
});

test.each([
  ['plain', plainLine],
  ['text', textLine],
  ['json', jsonLine],
])('a long-running process writes one harmless line a message: %s', (_, format) => {
  const lines: string[] = [];
  const reporter = new Reporter('debug', (line) => lines.push(line), format);
  reporter.warning(`container ${HOSTILE} is odd`);
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toMatch(/[\n\t]/);
  expect(lines[0]).not.toMatch(RAW);
});

test('errors and hints are one harmless line each', () => {
  let text = '';
  const out = { write: (more: string) => (text += more) };
  const error = new ClusterError('bad', HOSTILE, { hint: HOSTILE, file: HOSTILE, machine: HOSTILE });
  for (const json of [true, false]) report(error, { json, debug: true, stdout: out, stderr: out });
  expect(text).not.toMatch(RAW);
  text = '';
  report(error, { json: false, debug: false, stdout: out, stderr: out });
  expect(text.trimEnd().split('\n')).toHaveLength(2);
});

test('sentences are one line each, whatever the event holds', () => {
  const machine = { id: HOSTILE, address: HOSTILE };
  const reasons = [{ machine: HOSTILE, rule: HOSTILE, detail: HOSTILE }];
  const events = [
    { kind: 'problem', key: HOSTILE, message: HOSTILE },
    { kind: 'state', unit: HOSTILE, state: 'launched', machine },
    { kind: 'differs', unit: HOSTILE, template: false, path: HOSTILE },
    { kind: 'refused', unit: HOSTILE, reasons },
    { kind: 'failed', unit: HOSTILE, machine, how: HOSTILE, journal: [HOSTILE] },
    { kind: 'unreachable', machine, message: HOSTILE, units: [HOSTILE], hint: HOSTILE, passedOver: false },
    { kind: 'machine-metadata', machine, metadata: { [HOSTILE]: HOSTILE } },
    { kind: 'warning', message: HOSTILE },
  ];
  for (const event of events)
    for (const { text } of sentences(event as unknown as Parameters<typeof sentences>[0])) {
      expect(text, event.kind).not.toMatch(RAW);
      expect(text, event.kind).not.toContain('\n');
    }
});

test('plans, matches and what gateways answer are harmless', () => {
  const reasons = [{ machine: HOSTILE, rule: HOSTILE, detail: HOSTILE }];
  const steps = [{ machine: HOSTILE, action: 'start', unit: HOSTILE, reason: HOSTILE }];
  const scores = [HOSTILE, 'other'].map((machine) => ({ machine, score: { [HOSTILE]: 1 } }));
  const placements = [{ unit: HOSTILE, machine: HOSTILE, scores }];
  const plan = { steps, placements, refusals: [{ unit: HOSTILE, reasons }], warnings: [HOSTILE] };
  const status = {
    proxy: { name: 'haproxy', version: HOSTILE, pid: 1, reloads: 0 },
    failing: HOSTILE,
    revision: 1,
    storeConnected: true,
    lastChangeMs: 1,
    breakers: [{ frontend: HOSTILE, middleware: HOSTILE, state: 'tripped' }],
    leftOut: [{ object: HOSTILE, message: HOSTILE }],
    notes: [{ object: HOSTILE, message: HOSTILE }],
  };
  const gateway = { machine: HOSTILE, hostname: HOSTILE, revision: 1 };
  const row = { id: HOSTILE, backend: HOSTILE, address: HOSTILE, state: HOSTILE };
  const texts = [
    planText(plan as unknown as Parameters<typeof planText>[0], 0),
    matchLines({ frontend: HOSTILE, backend: HOSTILE, reason: HOSTILE } as Parameters<typeof matchLines>[0]),
    gatewayTable([{ gateway, value: status }] as unknown as Parameters<typeof gatewayTable>[0]),
    topTables({ frontends: [row], servers: [row] } as unknown as Parameters<typeof topTables>[0], 0),
  ];
  for (const text of texts) expect(text).not.toMatch(RAW);
});
