import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Memo } from '../../../src/lib/gateway/haproxy/translate/memo.ts';
import { renderConfig, translate } from '../../../src/lib/gateway/haproxy/translate/translate.ts';
import { applyTraffic } from '../../../src/lib/traffic/index.ts';
import { demo, entry, frontend, type Objects, OPTIONS, stateOf } from './support.ts';

/** What translate returns, as a person can read it. `structure` without its first lines, which are always the same. */
function printed(objects: Objects): string {
  const serving = translate(stateOf(objects), OPTIONS);
  const config = renderConfig(serving);
  const maps = [...serving.maps].flatMap(([name, map]) =>
    [...map].map(([key, value]) => `${name}: ${key} ${value}`),
  );
  const files = [...serving.files]
    .filter(([name]) => !/\d+\.http$/.test(name))
    .map(([name, text]) => `${name}: ${JSON.stringify(text)}`);
  const lines = (kind: string, notes: readonly { object: string; message: string }[]) =>
    notes.map(({ object, message }) => `${kind} ${object}: ${message}`);
  return [
    config.slice(config.indexOf('frontend gateway')).trimEnd(),
    ...maps,
    ...files,
    ...lines('left out:', serving.leftOut),
    ...lines('note:', serving.notes),
  ].join('\n');
}

describe('a registry and its configuration', () => {
  const folder = new URL('translate/', import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith('.txt'));

  test('has examples', () => expect(files.length).toBeGreaterThan(4));

  test.each(files)('%s (UPDATE=1 writes it anew)', (name) => {
    const file = new URL(name, folder);
    const [given = ''] = readFileSync(file, 'utf8').split('\n--------\n');
    const objects = Object.fromEntries(
      given
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
        .map((line) => [line.slice(0, line.indexOf(' {')), JSON.parse(line.slice(line.indexOf(' {')))]),
    );
    const text = `${given.trimEnd()}\n--------\n${printed(objects)}\n`;
    if (process.env.UPDATE) writeFileSync(file, text);
    expect(text).toBe(readFileSync(file, 'utf8'));
  });
});

describe('what a change of the registry changes', () => {
  const change = (path: string, value: unknown, objects: Objects = demo) => {
    const state = stateOf(objects);
    const next = applyTraffic(state, '/vulcand/', [{ kind: 'put', entry: entry(path, value, 2) }], 2);
    const memo = new Memo();
    return [translate(state, OPTIONS, memo), translate(next, OPTIONS, memo)] as const;
  };

  test('a switch: one entry of one map', () => {
    const [before, now] = change('frontends/demo/frontend', frontend('Host("demo.io")', 'v2'));
    expect(now.structure).toBe(before.structure);
    expect(before.maps.get('frontends.map')).toEqual(new Map([['demo', 'v1']]));
    expect(now.maps.get('frontends.map')).toEqual(new Map([['demo', 'v2']]));
    for (const [name, map] of now.maps)
      if (name !== 'frontends.map') expect(map).toEqual(before.maps.get(name));
  });

  test('a server: its pool only, and the other pools are the same objects', () => {
    const [before, now] = change('backends/v1/servers/demo@2', { URL: 'http://10.0.0.3:80', Weight: 5 });
    expect(now.structure).toBe(before.structure);
    expect(now.pools.get('v1')?.get('demo:402')).toEqual({
      address: '10.0.0.3',
      port: 80,
      weight: 5,
      keywords: '',
    });
    expect(now.pools.get('v2')).toBe(before.pools.get('v2'));
    expect(now.pools.get('v1')).not.toBe(before.pools.get('v1'));
  });

  test('a plain frontend on a backend that is there: maps only', () => {
    const withPath = { ...demo, 'frontends/path/frontend': frontend('Host("a.io") && Path("/a")', 'v1') };
    for (const [route, objects] of [
      ['Host("new.io")', demo],
      ['Host("new.io") && PathRegexp(".*")', demo],
      ['Host("new.io") && Path("/x")', withPath],
    ] as const) {
      const [before, now] = change('frontends/new/frontend', frontend(route, 'v2'), objects);
      expect(now.structure).toBe(before.structure);
      expect(now.maps).not.toEqual(before.maps);
    }
  });

  test('paths cost nothing before the first frontend that has one: that one changes the structure', () => {
    const [before, now] = change('frontends/new/frontend', frontend('Host("new.io") && Path("/x")', 'v2'));
    expect(before.structure).not.toMatch(/paths.map|txn.path/);
    expect(now.structure).toContain('paths.map');
  });

  test('a frontend more with a limit that others have: maps only', () => {
    const limit = { Type: 'connlimit', Priority: 1, Middleware: { Connections: 5, Variable: 'client.ip' } };
    const objects: Objects = {
      ...demo,
      'frontends/demo/middlewares/a': limit,
      'frontends/more/frontend': frontend('Host("more.io")', 'v1'),
      'frontends/more/middlewares/b': limit,
      // Its limit is there before it.
      'frontends/a/middlewares/c': limit,
    };
    const [before, now] = change('frontends/a/frontend', frontend('Host("new.io")', 'v2'), objects);
    expect(now.structure).toBe(before.structure);
    expect(before.maps.get('groups0.map')).toEqual(
      new Map([...'demo more'.split(' ')].map((id) => [id, '0'])),
    );
    expect(now.maps.get('groups0.map')?.get('a')).toBe('0');
  });

  test('the same written again, or backends in another order: nothing', () => {
    const [before, now] = change('backends/v1/backend', demo['backends/v1/backend']);
    expect(now.structure).toBe(before.structure);
  });

  test('a memo changes nothing but the time', () => {
    const memo = new Memo();
    const state = stateOf(demo);
    const path = 'frontends/demo/frontend';
    const change = { kind: 'put' as const, entry: entry(path, frontend('Host("demo.io")', 'v2'), 2) };
    for (const each of [state, applyTraffic(state, '/vulcand/', [change], 2), state])
      expect(translate(each, OPTIONS, memo)).toEqual(translate(each, OPTIONS));
  });

  test('a new backend: the structure', () => {
    const [before, now] = change('backends/v3/backend', { Type: 'http' });
    expect(now.structure).not.toBe(before.structure);
  });

  test('a frontend with a predicate of its own finds every backend ready', () => {
    const objects = {
      ...demo,
      'frontends/demo/frontend': frontend('Host("demo.io")', 'v1', { Stream: true }),
    };
    expect([...translate(stateOf(objects), OPTIONS).pools.keys()]).toEqual([
      'v1',
      'v1:stream',
      'v2',
      'v2:stream',
    ]);
  });
});

describe('what cannot be served', () => {
  test('is left out with its reason, and all else is served', () => {
    const { leftOut, maps } = translate(
      stateOf({
        ...demo,
        'frontends/bad/frontend': frontend('PathRegexp("(a+)+$")', 'v1'),
        'frontends/never/frontend': frontend('Host("a") && !Host("a")', 'v1'),
        'frontends/control/frontend': frontend('Header("X", "a\\nb")', 'v1'),
        'frontends/many/frontend': frontend(
          Array.from({ length: 60 }, (_, i) => `!Path("/${i}")`).join(' && '),
          'v1',
        ),
        'frontends/broken/frontend': { Type: 'http' },
        'hosts/h/host': { Settings: { KeyPair: 'x' } },
      }),
      OPTIONS,
    );
    expect(leftOut.map(({ object }) => object).sort()).toEqual([
      '/vulcand/frontends/broken/frontend',
      'frontend bad',
      'frontend control',
      'frontend many',
      'frontend never',
      'host h',
    ]);
    expect([...(maps.get('frontends.map') ?? [])]).toEqual([['demo', 'v1']]);
  });
});
