import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TOPICS } from '../../src/cli/about.ts';
import { candidates } from '../../src/cli/complete.ts';
import { makeManifest } from '../../src/cli/manifest.ts';
import type { CommandShape, Manifest } from '../../src/cli/model.ts';
import { GLOBAL } from '../../src/cli/oclif.ts';
import { COMMANDS } from '../../src/commands.gen.ts';
import { ENTRY, type Workplace, workplace } from '../support/cli.ts';

let at: Workplace;
let manifest: Manifest;
let commands: [string, CommandShape][];

beforeAll(async () => {
  at = await workplace();
  manifest = await makeManifest(COMMANDS);
  commands = Object.entries(manifest.commands);
});

afterAll(() => at.remove());

const help = async (...words: string[]): Promise<string> => (await at.ok(...words)).stdout;

describe('every command', () => {
  test('is on a page of help, with its topic, unless it is hidden', async () => {
    const root = await help('help');
    const topics = new Map<string, string>();
    for (const [id, { hidden }] of commands) {
      if (hidden) continue;
      const [topic = '', child] = id.split(':');
      expect(root).toMatch(new RegExp(`^  ${topic} {2,}\\S`, 'm'));
      if (child === undefined) continue;
      if (!topics.has(topic)) topics.set(topic, await help(topic, '--help'));
      expect(topics.get(topic)).toContain(`  ${topic} ${child} `);
    }
  }, 60_000);

  test('declares what it changes and what the shell completes', () => {
    const changes = ['units', 'machines', 'registry', 'nothing'];
    for (const [id, command] of commands) {
      expect(changes, id).toContain(command.changes);
      expect(command.completes, id).toEqual(expect.any(String));
    }
  });

  test('that only looks changes nothing, and that changes units says so', () => {
    const looks = /(^|:)(ls|show|status|top|history|match|list-.*|cat|journal|plan|verify|get_severity)$/;
    for (const [id, command] of commands)
      if (looks.test(id)) expect([id, command.changes]).toEqual([id, 'nothing']);
    const ofUnits = commands.filter(([, { changes }]) => changes === 'units').map(([id]) => id);
    expect(ofUnits).toEqual(expect.arrayContaining(['start', 'stop', 'reconcile', 'machine:rm']));
  });

  test('has a summary that begins with a capital and has no full stop; so have topics', () => {
    const texts = [...commands.map(([, { summary }]) => summary), ...Object.values(TOPICS)];
    for (const text of texts) expect(text).toMatch(/^[A-Z].*[^.\s]$/s);
  });

  test('has flags with a variable and a description', () => {
    const lacking = commands
      .filter(([, { hidden }]) => !hidden)
      .flatMap(([id, { flags }]) => Object.entries(flags).map(([name, flag]) => ({ ...flag, id, name })))
      .filter(
        ({ env, description }) => !env?.startsWith('CLUSTER_') || !/^\S.*[^.\s]$/.test(description ?? ''),
      )
      .map(({ id, name }) => `${id} --${name}`);
    expect(lacking).toEqual([]);
  });
});

describe('global flags', () => {
  const names = (): string[] =>
    Object.entries(manifest.commands.start?.flags ?? {}).flatMap(([name, { helpGroup }]) =>
      helpGroup === GLOBAL ? [name] : [],
    );

  test('are one word of a command’s usage, after its own flags', async () => {
    const page = await help('start', '--help');
    expect(page).toMatch(/\[UNIT\.\.\.\] \[--no-block\] .*\[global\s+flags\]\n\n/s);
    expect(page).not.toContain('--ca-file');
    expect(page).toContain('cluster help flags');
  });

  test('are listed by help flags, and by --help --all', async () => {
    expect(names().length).toBeGreaterThan(15);
    for (const line of [
      ['help', 'flags'],
      ['start', '--help', '--all'],
      ['--help', '--all'],
      ['help', '--all'],
    ]) {
      const page = await help(...line);
      for (const name of names()) expect(page, line.join(' ')).toMatch(new RegExp(`^ +--${name}\\b`, 'm'));
    }
  });
});

test('help is as wide as the terminal, and 80 columns in a pipe', async () => {
  // The first line is cluster's own description, as it is.
  const widest = (page: string): number =>
    Math.max(
      ...page
        .split('\n')
        .slice(1)
        .map((line) => line.trimEnd().length),
    );
  expect(widest(await help('help'))).toBeLessThanOrEqual(80);
  const typed = `stty cols 130; '${process.execPath}' '${ENTRY}' help`;
  const { stdout } = await promisify(execFile)('script', ['-qec', typed, '/dev/null'], { env: at.env });
  expect(widest(stdout)).toBeGreaterThan(80);
  expect(widest(stdout)).toBeLessThanOrEqual(130);
});

describe('a slip of the keyboard', () => {
  test.each([
    [['lits-units'], 'unknown command "lits-units"', 'cluster list-units'],
    [['machine', 'sohw'], 'unknown command "machine sohw"', 'cluster machine show'],
    [['stat'], 'unknown command "stat"', 'cluster status, cluster start'],
    [['start', '--replcae'], 'unknown flag --replcae', '--replace'],
    [['help', 'frontned'], 'unknown command "frontned"', 'cluster frontend'],
  ])('%s: what may have been meant', async (line, message, near) => {
    const ran = await at.run(...line);
    expect(ran).toMatchObject({ code: 64, stdout: '' });
    expect(ran.stderr).toContain(message);
    expect(ran.stderr).toContain(`try: ${near}`);
  });
});

describe('completion without a registry', () => {
  test.each([
    ['a command', ['machi'], ['machine']],
    ['a command of a topic', ['machine', 's'], ['set-metadata', 'show']],
    ['a topic that is a command too', ['gateway', 's'], ['status']],
    ['a flag', ['start', '--repl'], ['--replace']],
    ['the values of a flag', ['registrator', '--deregister', 'o'], ['on-success']],
    ['the values of a flag after =', ['gateway', '--log-severity=de'], ['--log-severity=debug']],
    ['an argument of few values', ['completion', ''], ['bash', 'fish', 'zsh']],
    ['a topic of help', ['help', 'machine', 'r'], ['reboot', 'rm']],
    ['a page of help', ['help', 'fl'], ['flags']],
    ['what takes files only', ['verify', ''], []],
  ])('%s', async (_, words, expected) => {
    expect(await candidates(words, manifest)).toEqual(expected);
  });
});
