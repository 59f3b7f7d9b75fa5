import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Workplace, workplace } from '../../support/cli.ts';
import { freshPrefixes, PLACES, type Place } from './support/stores.ts';

interface Case {
  readonly id: string;
  readonly area: string;
  readonly given: { readonly precondition: readonly string[] };
  readonly when: { readonly command: string };
  readonly expect: {
    readonly stdout_without_colour: string;
    readonly stored?: Readonly<Record<string, object>>;
  };
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../conformance/${name}`, import.meta.url), 'utf8'));
const differences = read('differences-vctl.json') as Record<string, string>;
const cases = (read('vulcand.json') as Case[]).filter(({ area }) => area === 'vctl');

/** A shell's words, with single and double quotes. */
const words = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, bare]) => single ?? double ?? bare ?? '',
  );

const SETUP: Readonly<Record<string, readonly string[]>> = {
  backend: ['backend', 'upsert', '-id'],
  server: ['server', 'upsert', '-b', 'b1', '-url', 'http://127.0.0.1:29001', '-id'],
  frontend: ['frontend', 'upsert', '-b', 'b1', '-route', 'Path("/p1")', '-id'],
};

describe.each(Object.keys(PLACES))('vctl on %s', (kind) => {
  let place: Place;
  let at: Workplace;
  beforeAll(async () => {
    place = await PLACES[kind]!();
    at = await workplace();
  });
  afterAll(async () => {
    await at.remove();
    await place.close();
  });

  test.each(cases)('$id $when.command', async ({ id, given, when, expect: wanted }) => {
    const prefixes = freshPrefixes();
    Object.assign(at.env, place.env, prefixes);
    const needed = given.precondition.some((item) => item.startsWith('frontend')) ? ['backend b1'] : [];
    for (const item of [...needed, ...given.precondition]) {
      const [what = '', name = ''] = item.split(' ');
      expect(await at.run(...(SETUP[what] ?? []), name)).toMatchObject({ code: 0 });
    }
    const ran = await at.run(...words(when.command).slice(1));
    const text = wanted.stdout_without_colour;
    const error = /^ERROR: (.*)$/.exec(text)?.[1];
    if (differences[id] !== undefined) {
      const same = error === undefined ? ran.stdout.trim() === text : ran.stderr.includes(error);
      expect(same, 'listed as different, but it is not').toBe(false);
    } else if (text.startsWith('contains ')) {
      expect(ran.code).toBe(0);
      for (const [table] of text.matchAll(/\[\w+\]/g)) expect(ran.stdout).toContain(table);
    } else if (error === undefined) {
      expect(ran).toMatchObject({ code: 0, stdout: text.endsWith('\n') ? text : `${text}\n` });
    } else {
      expect(ran).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(error) });
      expect(ran.stderr).toMatch(/^ {2}try: /m);
    }
    for (const [key, value] of Object.entries(wanted.stored ?? {})) {
      const entry = await place.store.get(key.replace('/vulcand', prefixes.CLUSTER_TRAFFIC_PREFIX));
      expect(entry?.value).toBe(`${JSON.stringify(value)}\n`);
    }
  });
});
