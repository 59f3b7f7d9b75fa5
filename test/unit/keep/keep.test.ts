import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  Backoff,
  jsonLine,
  localMachineId,
  ProblemList,
  pause,
  plainLine,
  Reporter,
  textLine,
  together,
  Wakeup,
} from '../../../src/lib/keep/index.ts';
import { outageOf } from './support.ts';

test('a back-off doubles up to its bound, takes up to a quarter off, and begins anew after a reset', () => {
  const backoff = new Backoff({ firstMs: 100, mostMs: 700, random: () => 0 });
  expect([1, 2, 3, 4, 5].map(() => backoff.next())).toEqual([100, 200, 400, 700, 700]);
  backoff.reset();
  expect(backoff.next()).toBe(100);
  expect(new Backoff({ firstMs: 100, mostMs: 700, random: () => 1 }).next()).toBe(75);
});

test('a back-off stays at its bound for ever', () => {
  const backoff = new Backoff({ firstMs: 100, mostMs: 2000, random: () => 0 });
  for (let n = 0; n < 5000; n++) backoff.next();
  expect(backoff.next()).toBe(2000);
});

test('a pause ends with its signal', async () => {
  const over = new AbortController();
  const paused = pause(60_000, over.signal);
  over.abort();
  await paused;
  await pause(60_000, over.signal);
});

test('a wakeup: calls before the wait count once, a call during it ends it, and so does the signal', async () => {
  const wakeup = new Wakeup();
  const over = new AbortController();
  wakeup.wake();
  wakeup.wake();
  await wakeup.wait(over.signal);

  let woken = false;
  const waiting = wakeup.wait(over.signal).then(() => {
    woken = true;
  });
  await new Promise(setImmediate);
  expect(woken).toBe(false);
  wakeup.wake();
  await waiting;

  const last = wakeup.wait(over.signal);
  over.abort();
  await last;
  await wakeup.wait(over.signal);
});

test('an outage is reported once with its reason, a new reason once more, and its end once, when all parts are well', () => {
  const { outage, lines } = outageOf();
  outage.recovered('write');
  outage.failed('lease', new Error('refused'));
  outage.failed('write', new Error('refused'));
  outage.failed('lease', new Error('no answer'));
  outage.failed('lease', new Error('refused'));
  expect(outage.active).toBe(true);
  outage.recovered('lease');
  expect(lines).toEqual(['the store is away: refused', 'the store is away: no answer']);
  outage.recovered('write');
  expect(outage.active).toBe(false);
  outage.failed('write', 'refused');
  outage.recovered('write');
  expect(lines.slice(2)).toEqual(['the store is back', 'the store is away: refused', 'the store is back']);
});

test('a problem is reported once for as long as it lasts', () => {
  const reported: string[] = [];
  const list = new ProblemList((problem) => reported.push(problem));
  list.set(['a', 'b', 'a']);
  list.set(['b']);
  list.set(['a', 'b']);
  expect(reported).toEqual(['a', 'b', 'a']);
});

test('a reporter writes from its severity upwards, one line each, in its format', () => {
  const lines: string[] = [];
  const reporter = new Reporter('info', (line, severity) => lines.push(`${severity}|${line}`));
  reporter.debug('not shown');
  reporter.warning('first\n  second');
  reporter.severity = 'debug';
  reporter.debug('shown');
  expect(lines).toEqual(['warning|warning: first; second', 'debug|debug: shown']);
  expect([plainLine, textLine, jsonLine].map((format) => format('error', 'x "y"'))).toEqual([
    'error: x "y"',
    'x "y"',
    '{"level":"error","message":"x \\"y\\""}',
  ]);
});

test('loops that run together: the failure of one ends the others and is thrown when they have ended', async () => {
  const ended: string[] = [];
  const loop = async (signal: AbortSignal): Promise<void> => {
    await pause(60_000, signal);
    await new Promise(setImmediate);
    ended.push('loop');
  };
  const failing = async (): Promise<void> => {
    await new Promise(setImmediate);
    throw new Error('broken');
  };
  await expect(together([loop, failing], new AbortController().signal)).rejects.toThrow('broken');
  expect(ended).toEqual(['loop']);
  await together([loop], AbortSignal.abort());
});

test('the machine id of this computer, or null where the file has none', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'cluster-keep-'));
  const file = join(dir, 'machine-id');
  expect(await localMachineId(file)).toBeNull();
  writeFileSync(file, 'uninitialized\n');
  expect(await localMachineId(file)).toBeNull();
  writeFileSync(file, `${'a1'.repeat(16)}\n`);
  expect(await localMachineId(file)).toBe('a1'.repeat(16));
  rmSync(dir, { recursive: true });
});
