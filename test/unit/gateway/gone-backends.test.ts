import { expect, test } from 'vitest';
import { runtimeDiff } from '../../../src/lib/gateway/haproxy/process/runtime.ts';
import type { Serving } from '../../../src/lib/gateway/haproxy/serving.ts';
import { Memo } from '../../../src/lib/gateway/haproxy/translate/memo.ts';
import { translate } from '../../../src/lib/gateway/haproxy/translate/translate.ts';
import { demo, frontend, type Objects, OPTIONS, stateOf } from './support.ts';

/** How often HAProxy would be reloaded by these states, one after the other. */
function reloads(states: readonly Objects[]): number {
  const memo = new Memo();
  let before: Serving | null = null;
  let count = 0;
  for (const objects of states) {
    const state = stateOf(objects);
    const serving = translate(state, OPTIONS, memo);
    if (before !== null && runtimeDiff(before, serving) === 'reload') count++;
    memo.served(state.backends);
    before = serving;
  }
  return count;
}

/** What a registrator announces for one instance that has a host name of its own. */
const instance = (id: string, port: number, settings: object = {}): Objects => ({
  [`backends/${id}/backend`]: { Type: 'http', Settings: settings },
  [`backends/${id}/servers/${id}`]: { URL: `http://10.0.0.3:${port}` },
  [`frontends/${id}/frontend`]: frontend(`Host("${id}.io")`, id),
});

test('a container that crashes and starts again, each time on another port, costs one reload', () => {
  const loop = Array.from({ length: 50 }, (_, n) => [
    { ...demo, ...instance('demo@9', 5000 + n) },
    demo,
  ]).flat();
  expect(reloads([demo, ...loop])).toBe(1);
});

test('ten that do so at different moments cost ten', () => {
  const states = Array.from({ length: 200 }, (_, n) =>
    Object.assign(
      {},
      demo,
      ...Array.from({ length: 10 }, (__, i) => ((n + i) % (i + 2) > 0 ? instance(`i${i}`, 5000 + n) : {})),
    ),
  );
  expect(reloads([demo, ...states])).toBeLessThanOrEqual(10);
});

test('other settings are another matter', () => {
  const other = instance('demo@9', 5000, { Timeouts: { Read: '7s' } });
  expect(reloads([demo, { ...demo, ...instance('demo@9', 5000) }, demo, { ...demo, ...other }])).toBe(2);
});

test('what is gone has no server and no frontend, and is forgotten in the end', () => {
  const memo = new Memo();
  const serve = (objects: Objects): Serving => {
    const state = stateOf(objects);
    const serving = translate(state, OPTIONS, memo);
    memo.served(state.backends);
    return serving;
  };
  serve({ ...demo, ...instance('demo@9', 5000) });
  const without = serve(demo);
  expect(without.structure).toContain('demo@9'.replace('@', ':40'));
  expect(
    [...without.pools].filter(([name, servers]) => name.includes('demo:40') && servers.size > 0),
  ).toEqual([]);
  expect([...(without.maps.get('frontends.map') ?? [])].map(([name]) => name)).toEqual(['demo']);
  for (let n = 0; n < 200; n++) serve({ ...demo, ...instance(`other${n}`, 5000) });
  const sections = serve(demo).structure.match(/^backend \w\S*/gm) ?? [];
  expect(sections.length).toBeGreaterThan(30);
  expect(sections.length).toBeLessThan(70);
  expect(sections.join()).not.toContain('demo:40');
});

test('a backend that was never served is not kept: HAProxy may have refused it', () => {
  const memo = new Memo();
  translate(stateOf({ ...demo, ...instance('bad', 1) }), OPTIONS, memo);
  expect(translate(stateOf(demo), OPTIONS, memo).structure).not.toContain('bad');
});
