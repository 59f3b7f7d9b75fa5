import { readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Ran, runCli, type Workplace, workplace } from '../support/cli.ts';

interface Seed {
  readonly name: string;
  readonly text: string;
  readonly desired: 'inactive' | 'loaded' | 'launched';
}
interface Expected {
  readonly exit: number;
  readonly stdout?: readonly string[];
  readonly stdout_exact?: string;
  readonly stdout_columns?: readonly (readonly string[])[];
  readonly stderr?: readonly string[];
  readonly stderr_contains?: readonly string[];
  readonly effect?: Readonly<Record<string, string>>;
  readonly registry_after?: readonly string[];
  readonly hash_of?: Readonly<Record<string, string>>;
}
interface Case {
  readonly id: string;
  readonly title: string;
  readonly given: {
    readonly machines?: readonly { readonly id: string; readonly ip?: string }[];
    readonly files?: Readonly<Record<string, string>>;
    readonly registry?: readonly Seed[];
  };
  readonly when: { readonly op: string; readonly argv?: readonly string[] };
  readonly expect: Expected;
}
interface UnitFile {
  readonly unit: string;
  readonly hash: string;
  readonly dstate: string;
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../conformance/${name}`, import.meta.url), 'utf8'));
const differences = read('differences-fleetctl.json') as Readonly<Record<string, string>>;
const cases = (read('fleet.json') as readonly Case[]).filter(({ when }) => when.op === 'fleetctl');
const VERB = { inactive: 'submit', loaded: 'load', launched: 'start' } as const;

let at: Workplace;
let machines: { readonly id: string; readonly address: string }[];

beforeAll(async () => {
  at = await workplace();
  expect((await at.run('lab', 'up', '--hollow', '3', '--name', 'fleetctl')).code).toBe(0);
  machines = JSON.parse((await at.run('list-machines', '--json')).stdout) as typeof machines;
  const metadata = ['az=a num=1 ssd=false', 'az=b num=2 ssd=true', 'az=a num=3 ssd=true'];
  for (const [rank, { id }] of machines.entries())
    await at.run('machine', 'set-metadata', id, ...(metadata[rank] ?? '').split(' '));
});

afterAll(async () => {
  await at.run('lab', 'down', '--name', 'fleetctl');
  await at.remove();
});

/** fleet's machines by rank are ours by rank. */
function ours(text: string, known: readonly { readonly id: string; readonly ip?: string }[]): string {
  let out = text;
  known.forEach(({ id, ip }, rank) => {
    const machine = machines[rank];
    if (machine === undefined) return;
    out = out.replaceAll(id, machine.id).replaceAll(`${id.slice(0, 8)}...`, `${machine.id.slice(0, 8)}...`);
    if (ip !== undefined) out = out.replaceAll(ip, machine.address);
  });
  return out;
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');
const columns = (line: string): string =>
  line
    .trim()
    .split(/\t+| {2,}/)
    .join(' | ');
/** What is wrong, without who says it and what to try. */
const complaint = (line: string): string => line.replace(/^Error( [a-z]+)*: /, '');

async function run({ given, when }: Case): Promise<{ ran: Ran; files: UnitFile[] }> {
  const seeds = join(at.dir, 'seeds');
  const dir = join(at.dir, 'here');
  await Promise.all([mkdir(seeds), mkdir(dir)]);
  for (const { name, text, desired } of given.registry ?? []) {
    await at.file(join('seeds', name), text);
    expect(await runCli([VERB[desired], name], seeds, at.env)).toMatchObject({ code: 0 });
  }
  for (const [name, text] of Object.entries(given.files ?? {})) await at.file(join('here', name), text);
  const ran = await runCli(when.argv ?? [], dir, at.env);
  const files = JSON.parse((await at.run('list-unit-files', '--json')).stdout) as UnitFile[];
  if (files.length > 0) await at.run('destroy', '*');
  await Promise.all([rm(seeds, { recursive: true }), rm(dir, { recursive: true })]);
  return { ran, files };
}

describe('fleetctl would answer so', () => {
  test('each difference names a case', () =>
    expect(Object.keys(differences).filter((id) => !cases.some((one) => one.id === id))).toEqual([]));

  test.each(cases.filter(({ id }) => differences[id] === undefined))('$id $title', async (one) => {
    const { ran, files } = await run(one);
    const want = one.expect;
    const here = (text: string): string => ours(text, one.given.machines ?? []);
    expect(ran, ran.stderr).toMatchObject({ code: want.exit });
    if (want.stdout !== undefined)
      expect(lines(ran.stdout).map(columns).sort()).toEqual(want.stdout.map(here).map(columns).sort());
    if (want.stdout_exact !== undefined) expect(ran.stdout).toBe(want.stdout_exact);
    if (want.stdout_columns !== undefined)
      expect(lines(ran.stdout).map(columns)).toEqual(want.stdout_columns.map((row) => here(row.join(' | '))));
    for (const line of want.stderr ?? [])
      expect(lines(ran.stderr).map(complaint)).toContainEqual(expect.stringContaining(complaint(here(line))));
    if (want.stderr?.length === 0) expect(ran.stderr).toBe('');
    for (const words of want.stderr_contains ?? []) expect(ran.stderr).toContain(words);
    for (const [unit, dstate] of Object.entries(want.effect ?? {}))
      expect(files).toContainEqual(expect.objectContaining({ unit, dstate }));
    for (const unit of want.registry_after ?? [])
      expect(files).toContainEqual(expect.objectContaining({ unit }));
    for (const [unit, other] of Object.entries(want.hash_of ?? {}))
      expect(files.find((file) => file.unit === unit)?.hash).toBe(
        files.find((file) => file.unit === other)?.hash,
      );
  });
});
