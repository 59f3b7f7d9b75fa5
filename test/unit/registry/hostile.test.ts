import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../../src/lib/config/index.ts';
import { registryProblems, removeProblem } from '../../../src/lib/control/registry-problems.ts';
import { Session } from '../../../src/lib/control/session.ts';
import { listUnitFiles, listUnits } from '../../../src/lib/control/units/list.ts';
import { locate } from '../../../src/lib/control/units/locate.ts';
import { nameUnits } from '../../../src/lib/control/units/name-units.ts';
import { plan } from '../../../src/lib/control/units/plan.ts';
import { decide } from '../../../src/lib/plan/index.ts';
import type { Store } from '../../../src/lib/store/port.ts';

let dir: string;
let session: Session;
let store: Store;

const GOOD = { v: 1, name: 'good.service', hash: 'h1', desired: 'loaded', machine: null };
const TEXT = '[Service]\nExecStart=/bin/sleep infinity\n';

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cluster-hostile-'));
  const config = await loadConfig({ flags: {}, env: { CLUSTER_DATA_DIR: dir }, cwd: dir, home: dir });
  session = new Session({ config, emit: () => undefined });
  store = await session.store();
  await put('units/good.service', GOOD);
  await put('files/h1', { v: 1, text: TEXT });
});

afterEach(async () => {
  await session.close();
  await rm(dir, { recursive: true, force: true });
});

const put = (path: string, value: unknown): Promise<unknown> =>
  store.commit({
    compare: [],
    writes: [{ put: `/cluster/${path}`, value: typeof value === 'string' ? value : JSON.stringify(value) }],
  });

const NAMES = [
  ...['constructor', '__proto__', 'prototype', 'toString', 'hasOwnProperty', 'valueOf'],
  ...['a b.service', 'a/b.service', '../x.service', '.service', '@.service', 'x@', 'x.nonsense', 'ü.service'],
  ...[
    'a\nb.service',
    'a\u001b[31mb.service',
    `${'x'.repeat(300)}.service`,
    '%i.service',
    "'.service",
    '-rf.service/',
  ],
];

test.each(NAMES)('a unit key named %j is reported, and all else works', async (name) => {
  await put(`units/${name}`, { ...GOOD, name });
  const problems = await registryProblems(session);
  expect(problems.map(({ key }) => key)).toEqual([`/cluster/units/${name}`]);
  expect((await listUnits(session)).rows.map(({ unit }) => unit)).toEqual(['good.service']);
  expect((await listUnitFiles(session)).map(({ unit }) => unit)).toEqual(['good.service']);
  expect((await plan(session, [])).plan.refusals.map(({ unit }) => unit)).toEqual(['good.service']);
  await removeProblem(session, JSON.stringify(`/cluster/units/${name}`));
  expect(await registryProblems(session)).toEqual([]);
});

const TEXTS = {
  'an unknown key': '[X-Fleet]\nNonsense=1\n',
  'rules that exclude each other': '[X-Fleet]\nGlobal=true\nMachineOf=x.service\n',
  'control bytes': '[Service]\nExecStart=/bin/true\n\0\u0001\n',
  'bytes that are no text': '[Service]\nExecStart=/bin/\ufffd\u0007\n',
  'no end of a section': '[Service\nExecStart=/bin/true\n',
  'text that is no option': '[Service]\nwhat is this\n',
  'more than systemd reads': `[Service]\n#${'x'.repeat(1024 * 1024)}\n`,
  'a variable that nobody sets': '[X-Fleet]\nMachineOf=${X}.service\n',
};

test.each(Object.entries(TEXTS))(
  'a stored file with %s keeps no other unit from its place',
  async (_, text) => {
    await put('units/bad.service', { ...GOOD, name: 'bad.service', hash: 'h2' });
    await put('files/h2', { v: 1, text });
    expect((await registryProblems(session)).map(({ key }) => key)).toEqual(['/cluster/units/bad.service']);
    expect((await listUnits(session)).rows.map(({ unit }) => unit)).toEqual(['good.service']);
    expect((await listUnitFiles(session)).map(({ unit }) => unit)).toContain('good.service');
    // What status, journal and ssh --unit rest on: that the unit is on no machine is said of it and not of the other.
    await expect(locate(session, ['good'])).rejects.toMatchObject({ errors: [{ code: 'not-loaded' }] });
    expect(nameUnits(await session.state(), ['*']).map(({ name }) => name.full)).toContain('good.service');
  },
);

test('a unit whose machine cannot be read is placed nowhere else', async () => {
  await put('machines/m1', '{');
  await put('units/there.service', { ...GOOD, name: 'there.service', desired: 'launched', machine: 'm1' });
  const state = await session.state();
  expect([...state.unreadable]).toEqual(['there.service']);
  expect(decide(state).assignments).toEqual([]);
  await expect(removeProblem(session, '/cluster/units/there.service')).rejects.toMatchObject({
    code: 'key-readable',
  });
});

test('a key that can be read is not removed', async () => {
  for (const key of ['/cluster/units/good.service', '/cluster/files/h1', '/cluster/nothing'])
    await expect(removeProblem(session, key)).rejects.toMatchObject({ code: 'key-readable', exit: 1 });
  expect((await session.state()).units.size).toBe(1);
});

/** A small generator, so that a failure can be had again by its seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const ATOMS: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1, 1e99, '', 'x', 'constructor', '__proto__', '\u0000', '\u001b[2J'],
  ...['launched', 'good.service', 'h1', [], {}, '[Service', '[X-Fleet]\nConflicts=', '10.0.0.1'],
];
const FIELDS =
  'v name hash desired machine id target facts metadata address port user text unit __proto__'.split(' ');

function anything(next: () => number, depth = 3): unknown {
  const pick = <T>(of: readonly T[]): T => of[Math.floor(next() * of.length)] as T;
  if (depth === 0 || next() < 0.3) return pick(ATOMS);
  if (next() < 0.2) return [anything(next, depth - 1), anything(next, depth - 1)];
  const fields = FIELDS.filter(() => next() < 0.6);
  return Object.fromEntries(fields.map((name) => [name, anything(next, depth - 1)]));
}

test('whatever is stored below our prefix: nothing that reads it fails, and the good unit is there', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const next = random(seed);
    const paths = new Set<string>();
    for (let at = 0; at < 8; at++) {
      const folder = ['units', 'machines', 'files', 'leaving', 'gateways', 'services', 'x'][
        Math.floor(next() * 7)
      ];
      const name = [...NAMES, 'm1', 'h2', 'x.service', 'x.service/m1'][
        Math.floor(next() * (NAMES.length + 4))
      ];
      const path = `${folder}/${name}`;
      if (Buffer.byteLength(path) > 400) continue;
      paths.add(path);
      await put(path, next() < 0.2 ? '{"' : (JSON.stringify(anything(next)) ?? 'null'));
    }
    const files = await listUnitFiles(session);
    expect(
      files.map(({ unit }) => unit),
      `seed ${seed}`,
    ).toContain('good.service');
    expect(
      (await listUnits(session)).rows.map(({ unit }) => unit),
      `seed ${seed}`,
    ).toContain('good.service');
    const problems = await registryProblems(session);
    for (const { key, follows } of problems) if (!follows) await removeProblem(session, key);
    await store.commit({ compare: [], writes: [...paths].map((path) => ({ remove: `/cluster/${path}` })) });
  }
}, 60_000);
