import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Registry, type UnitRecord } from '../../../src/lib/registry/index.ts';
import { openEmbedded } from '../../../src/lib/store/embedded.ts';
import type { Store } from '../../../src/lib/store/port.ts';

let dir: string;
let store: Store;
let registry: Registry;

const unit = (name: string, desired: UnitRecord['desired'] = 'inactive'): UnitRecord => ({
  v: 1,
  name,
  hash: 'h1',
  desired,
  machine: null,
});
const files = new Map([['h1', '[Service]\n']]);
const units = (...all: UnitRecord[]) => new Map(all.map((item) => [item.name, item]));

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cluster-registry-'));
  store = await openEmbedded(dir);
  registry = new Registry(store, '/cluster');
});

afterEach(async () => {
  await store.close();
  await rm(dir, { recursive: true, force: true });
});

test('a value that is not JSON is named by its key and left alone', async () => {
  await registry.change(await registry.load(), { units: units(unit('a.service')), files });
  await store.commit({ compare: [], writes: [{ put: '/cluster/units/b.service', value: '{oops' }] });
  const state = await registry.load();
  expect([...state.units.keys()]).toEqual(['a.service']);
  expect(state.problems).toEqual([{ key: '/cluster/units/b.service', message: 'the value is not JSON' }]);
  await registry.change(state, { units: units(unit('a.service', 'loaded')) });
  expect((await store.get('/cluster/units/b.service'))?.value).toBe('{oops');
});

test('two operators on one unit: the second is told, and nothing of its change is written', async () => {
  await registry.change(await registry.load(), { units: units(unit('a.service')), files });
  const seen = await registry.load();
  expect(await registry.change(seen, { units: units(unit('a.service', 'loaded')) })).toMatchObject({
    schedule: expect.any(Number),
  });
  const late = registry.change(seen, { units: units(unit('a.service', 'launched')) });
  await expect(late).rejects.toMatchObject({ code: 'changed-meanwhile', exit: 6 });
  expect((await registry.load()).units.get('a.service')?.desired).toBe('loaded');
});

test('two operators on different units: the second is asked to decide again', async () => {
  const seen = await registry.load();
  expect(await registry.change(seen, { units: units(unit('a.service')), files })).toMatchObject({
    schedule: expect.any(Number),
  });
  expect(await registry.change(seen, { units: units(unit('b.service')), files })).toBe('moved');
  expect((await registry.load()).units.has('b.service')).toBe(false);
});

test('a file goes with the last unit that names it, and 300 units fit into one change', async () => {
  const many = Array.from({ length: 300 }, (_, n) => unit(`u@${n}.service`));
  expect(await registry.change(await registry.load(), { units: units(...many), files })).toMatchObject({
    schedule: expect.any(Number),
  });
  const state = await registry.load();
  expect(state.units.size).toBe(300);
  await registry.change(state, { units: new Map(many.map(({ name }) => [name, null])) });
  expect((await registry.load()).files.size).toBe(0);
});

test("machines' own files of a global unit are kept with it, and go with the last of them", async () => {
  const mixed: UnitRecord = { ...unit('g.service', 'launched'), hashes: { m1: 'h2' } };
  const both = new Map([...files, ['h2', '[Service]\n# 2\n']]);
  await registry.change(await registry.load(), { units: units(mixed), files: both });
  const state = await registry.load();
  expect(state.units.get('g.service')).toEqual(mixed);
  expect([...state.files.keys()].sort()).toEqual(['h1', 'h2']);
  await registry.change(state, { units: units({ ...unit('g.service', 'launched'), hash: 'h2' }) });
  const after = await registry.load();
  expect(after.units.get('g.service')).toEqual({ ...unit('g.service', 'launched'), hash: 'h2' });
  expect([...after.files.keys()]).toEqual(['h2']);
});

test.each([['text'], [{ m1: 7 }], [null]])(
  'hashes %j are reported by the key of the unit',
  async (hashes) => {
    const value = JSON.stringify({ ...unit('g.service'), hashes });
    await store.commit({ compare: [], writes: [{ put: '/cluster/units/g.service', value }] });
    const { problems, unreadable } = await registry.load();
    expect(problems[0]).toMatchObject({ key: '/cluster/units/g.service' });
    expect([...unreadable]).toEqual(['g.service']);
  },
);
