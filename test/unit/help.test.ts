import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Workplace, workplace } from '../support/cli.ts';

interface Shape {
  readonly hidden?: boolean;
  readonly flags: Readonly<Record<string, { readonly env?: string; readonly hidden?: boolean }>>;
}

const ROOT = join(import.meta.dirname, '..', '..');
let at: Workplace;
let commands: Readonly<Record<string, Shape>>;

beforeAll(async () => {
  at = await workplace();
  await at.run('version');
  const manifest = readFileSync(join(ROOT, 'dist', 'oclif.manifest.json'), 'utf8');
  commands = (JSON.parse(manifest) as { commands: typeof commands }).commands;
});

afterAll(() => at.remove());

test('help names every topic and every command that is not hidden', async () => {
  const { stdout } = await at.run('help');
  const topics = new Map<string, string>();
  for (const [id, { hidden }] of Object.entries(commands)) {
    if (hidden) continue;
    const [topic, child] = id.split(':');
    expect(stdout).toMatch(new RegExp(`^  ${child === undefined ? id : topic} {2,}\\S`, 'm'));
    if (child === undefined) continue;
    const shown = topics.get(topic ?? '') ?? (await at.run(topic ?? '', '--help')).stdout;
    topics.set(topic ?? '', shown);
    expect(shown).toContain(`  ${topic} ${child} `);
  }
}, 60_000);

test('every flag has an environment variable', () => {
  const without = Object.entries(commands).flatMap(([id, { flags, hidden }]) =>
    hidden
      ? []
      : Object.entries(flags).flatMap(([name, { env }]) => (env === undefined ? [`${id} --${name}`] : [])),
  );
  expect(without.filter((flag) => !flag.endsWith(' --help'))).toEqual([]);
});
