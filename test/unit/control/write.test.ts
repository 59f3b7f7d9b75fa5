import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../../src/lib/config/index.ts';
import { Session } from '../../../src/lib/control/session.ts';
import { preview, write } from '../../../src/lib/control/units/write.ts';
import type { Intent } from '../../../src/lib/plan/index.ts';

let dir: string;
let session: Session;
let other: Session;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cluster-write-'));
  const config = await loadConfig({ flags: {}, env: { CLUSTER_DATA_DIR: dir }, cwd: dir, home: dir });
  session = new Session({ config, emit: () => undefined });
  other = new Session({ config, emit: () => undefined });
});

afterEach(async () => {
  await session.close();
  await other.close();
  await rm(dir, { recursive: true, force: true });
});

const known = (name: string, text: string): Intent => ({
  units: new Map([[name, { hash: text, desired: 'inactive' }]]),
  files: new Map([[text, `[Unit]\nDescription=${text}\n`]]),
});

const submit = (by: Session, name: string, text: string) =>
  write(by, () => ({ intent: known(name, text), value: null }));

test('what the intent returned is handed back, with the state that it rests on', async () => {
  await submit(session, 'a.service', 'a');
  const { before, decision, value } = await write(session, (state) => ({
    intent: known('b.service', 'b'),
    value: [...state.units.keys()],
  }));
  expect(value).toEqual(['a.service']);
  expect([...before.units.keys()]).toEqual(['a.service']);
  expect([...decision.units.keys()]).toEqual(['a.service', 'b.service']);
  expect([...(await session.state()).units.keys()]).toEqual(['a.service', 'b.service']);
});

test('a preview records nothing', async () => {
  const { decision } = await preview(session, () => ({ intent: known('a.service', 'a'), value: null }));
  expect([...decision.units.keys()]).toEqual(['a.service']);
  expect((await session.state()).units.size).toBe(0);
});

test('somebody else changes another unit meanwhile: the intent is asked again on the newest state', async () => {
  const seen: string[][] = [];
  const { value } = await write(session, async (state) => {
    seen.push([...state.units.keys()]);
    if (seen.length === 1) await submit(other, 'other.service', 'other');
    return { intent: known('mine.service', 'mine'), value: seen.length };
  });
  expect(seen).toEqual([[], ['other.service']]);
  expect(value).toBe(2);
  expect([...(await session.state()).units.keys()]).toEqual(['mine.service', 'other.service']);
});

test('somebody else changes the same unit meanwhile: exit 6, and theirs stays', async () => {
  const both = write(session, async () => {
    await submit(other, 'a.service', 'theirs');
    return { intent: known('a.service', 'mine'), value: null };
  });
  await expect(both).rejects.toMatchObject({ code: 'changed-meanwhile', exit: 6 });
  expect((await session.state()).units.get('a.service')?.hash).toBe('theirs');
});

test('somebody else keeps changing the cluster: given up after a bounded number of tries, exit 6', async () => {
  let tries = 0;
  const never = write(session, async () => {
    await submit(other, `other${tries++}.service`, 'other');
    return { intent: known('mine.service', 'mine'), value: null };
  });
  await expect(never).rejects.toMatchObject({ code: 'changed-meanwhile', exit: 6 });
  expect(tries).toBe(20);
  expect((await session.state()).units.has('mine.service')).toBe(false);
});
