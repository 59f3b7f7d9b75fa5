import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from 'vitest';
import { type LoadReport, startLoad } from '../../../scripts/load.ts';
import { labPossible } from '../../../src/lib/lab/real/index.ts';
import { type Workplace, workplace } from '../../support/cli.ts';
import { eventually } from '../../support/eventually.ts';

export const NAME = 'talk';
export const DOMAIN = 'example.test';
export const OLD = 'demo-application-v0.1.0';
export const NEW = 'demo-application-v0.2.0';
export const PUBLIC = `demo-application.${DOMAIN}`;
export const reason = labPossible();

export interface Machine {
  readonly id: string;
  readonly name: string;
  readonly address: string;
}

export interface Row {
  readonly unit: string;
  readonly active: string;
  readonly machine: { readonly id: string; readonly address: string };
}

export let at: Workplace;
export let output = '';
export let machines: Machine[] = [];

export const ok = async (...args: string[]): Promise<string> => (await at.ok(...args)).stdout;

export const on = (machine: Machine, command: string): Promise<string> =>
  ok('ssh', machine.address, '--', command);

export async function rows(): Promise<Row[]> {
  return JSON.parse(await ok('list-units', '--json')) as Row[];
}

/** The machine on which a unit runs. */
export async function machineOf(unit: string): Promise<Machine> {
  const row = (await rows()).find((item) => item.unit === unit);
  const found = machines.find(({ id }) => id === row?.machine.id);
  if (found === undefined) throw new Error(`${unit} runs nowhere`);
  return found;
}

/** Who answers for a host name through one gateway; 0 where nobody does. */
export function ask(machine: Machine, host: string): Promise<{ status: number; version: string }> {
  return new Promise((resolve) => {
    const made = get({ host: machine.address, port: 80, headers: { host }, agent: false }, (answer) => {
      answer.resume();
      resolve({ status: answer.statusCode ?? 0, version: String(answer.headers['x-version'] ?? '') });
    });
    made.setTimeout(5000, () => made.destroy());
    made.on('error', () => resolve({ status: 0, version: '' }));
  });
}

export async function servers(backend: string): Promise<string[]> {
  const list = JSON.parse(await ok('server', 'ls', '-b', backend, '--json')) as { Id: string }[];
  return list.map(({ Id }) => Id).sort();
}

/** Amid faults an error is no answer yet. */
export const within = (what: string, seconds: number, holds: () => Promise<boolean>): Promise<void> =>
  eventually(what, () => holds().catch(() => false), seconds * 1000);

/** Load through these gateways, on the name that people use, while `fault` happens and for a while after it. */
export async function during(
  fault: () => Promise<unknown>,
  options: { gateways?: readonly Machine[]; after?: number } = {},
): Promise<LoadReport> {
  const { gateways = machines, after = 1500 } = options;
  const load = startLoad(
    gateways.map(({ address }) => ({ address, port: 80 })),
    { host: PUBLIC, connections: 8 },
  );
  try {
    await sleep(300);
    await fault();
    await sleep(after);
  } catch (error) {
    await load.stop();
    throw error;
  }
  return load.stop();
}

export function expectNoFailure(report: LoadReport): void {
  expect(report.reasons).toEqual([]);
  expect(report.failed).toBe(0);
  expect(report.sent).toBeGreaterThan(100);
}

/** `npm run demo` as a user types it, in a lab and a folder of its own. */
export function demo(): Promise<number | null> {
  output = '';
  return new Promise((resolve, reject) => {
    const script = join(import.meta.dirname, '..', '..', '..', 'scripts', 'demo.mjs');
    const child = spawn(process.execPath, [script], { env: at.env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    child.on('error', reject);
    child.on('close', resolve);
  });
}

/** The demo, played before the tests of a file, and its lab taken away after them. */
export function withTalk(): void {
  beforeAll(async () => {
    at = await workplace({ CLUSTER_LAB_NAME: NAME });
    await at.run('lab', 'down');
    const code = await demo();
    expect(code, output.slice(-3000)).toBe(0);
    at.env.CLUSTER_ENDPOINT = await readFile(join(at.dir, 'store', 'endpoint'), 'utf8');
    machines = JSON.parse(await ok('lab', 'status', '--json')) as Machine[];
  }, 600_000);

  afterAll(async () => {
    await at.run('lab', 'down');
    await at.remove();
  }, 120_000);
}
