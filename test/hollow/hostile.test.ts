import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { COMMANDS } from '../../src/commands.gen.ts';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { openEmbedded } from '../../src/lib/store/embedded.ts';
import type { Workplace } from '../support/cli.ts';
import { workplaceWith } from '../support/hollow.ts';
import { HOSTILE, RAW } from '../support/hostile.ts';

let dir: string;
let lab: HollowLab;
let at: Workplace;

/** The hostile part of what passes for a unit file's text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it takes away
const IN_A_FILE = HOSTILE.replace(/[\u0000-\u001f\u007f]/g, '');
/** Its file in the store is hostile. */
const UNIT = 'evil.service';
/** Its journal is. */
const TALKS = 'talks.service';

/** What JSON may hold, a key's part may too. */
const traffic: Readonly<Record<string, unknown>> = {
  [`backends/${HOSTILE}/backend`]: { Type: 'http', Settings: {} },
  'backends/b/backend': { Id: 'b', Type: 'http', Settings: {} },
  [`backends/b/servers/${HOSTILE}`]: { URL: 'http://127.0.0.1:1' },
  'backends/b/servers/s': { URL: HOSTILE },
  [`frontends/${HOSTILE}/frontend`]: { Type: 'http', BackendId: HOSTILE, Route: 'Path("/")', Settings: {} },
  'frontends/f/frontend': { Type: 'http', BackendId: 'b', Route: `Path("/${HOSTILE}")`, Settings: {} },
  'frontends/g/frontend': { Type: 'http', BackendId: 'b', Route: 'Host("g")', Settings: { [HOSTILE]: 1 } },
  [`frontends/g/middlewares/${HOSTILE}`]: { Type: 'trace', Priority: 1, Middleware: { Addr: HOSTILE } },
  'frontends/g/middlewares/r': {
    Type: 'rewrite',
    Priority: 1,
    Middleware: { Regexp: HOSTILE, Replacement: HOSTILE, RewriteBody: false, Redirect: false },
  },
  [`hosts/${HOSTILE}/host`]: { Settings: { Default: true } },
  [`listeners/${HOSTILE}`]: {
    Protocol: 'http',
    Address: { Network: 'tcp', Address: HOSTILE },
    Scope: HOSTILE,
    ProxyProtocol: HOSTILE,
  },
  'listeners/l': {
    Protocol: 'http',
    Address: { Network: 'unix', Address: `/run/${HOSTILE}` },
    Scope: HOSTILE,
  },
};

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cluster-test-'));
  lab = await hollowUp({ machines: 2, stateDir: dir, name: 'hostile' });
  at = await workplaceWith(lab);
  const text = '[Unit]\nDescription=\u202eevil\n[Service]\nExecStart=/bin/sleep 9\n';
  await at.file(UNIT, text);
  await at.file(TALKS, text.replace('\u202eevil', '\u202etalks'));
  await at.ok('start', UNIT, TALKS);
  for (const { journal } of lab.simulations)
    journal.add({ unit: TALKS, invocation: 'x', identifier: HOSTILE, pid: 1, message: HOSTILE });
  await plant();
});

/** Writes into the store what none of our commands would write. */
async function plant(): Promise<void> {
  const store = await openEmbedded(at.env.CLUSTER_DATA_DIR ?? '');
  const put = (key: string, value: unknown) =>
    store.commit({
      compare: [],
      writes: [{ put: key, value: typeof value === 'string' ? value : JSON.stringify(value) }],
    });
  const { entries } = await store.range('/cluster/machines/');
  expect(entries).toHaveLength(2);
  for (const { key, value } of entries) {
    const record = JSON.parse(value);
    const facts = { ...record.facts, hostname: HOSTILE, os: HOSTILE, kernel: HOSTILE };
    await put(key, { ...record, facts, metadata: { [HOSTILE]: HOSTILE, role: HOSTILE } });
  }
  const files = (await store.range('/cluster/files/')).entries;
  const file = files.find(({ value }) => value.includes('evil'));
  const { text } = JSON.parse(file?.value ?? '');
  await put(file?.key ?? '', { v: 1, text: text.replace('evil', IN_A_FILE) });
  for (const [key, value] of Object.entries(traffic)) await put(`/vulcand/${key}`, value);
  const gateway = {
    v: 1,
    machine: HOSTILE,
    hostname: HOSTILE,
    address: HOSTILE,
    admin: HOSTILE,
    version: HOSTILE,
  };
  await put(`/cluster/gateways/${HOSTILE}`, { ...gateway, revision: 1 });
  const change = { v: 1, when: HOSTILE, who: HOSTILE, frontend: HOSTILE, from: HOSTILE, to: HOSTILE };
  await put('/cluster/switches/g/0000000001', change);
  await put(`/cluster/units/${HOSTILE}.service`, HOSTILE);
  await put(`/cluster/units/bad.service`, { v: 1, hash: HOSTILE, desired: HOSTILE, machine: HOSTILE });
  await put(`/cluster/machines/${HOSTILE}`, HOSTILE);
  await put(`/cluster/services/${HOSTILE}/${HOSTILE}`, { v: 1, name: HOSTILE });
  await store.close();
}

afterAll(async () => {
  await at?.remove();
  await lab?.close();
  await rm(dir, { recursive: true, force: true });
});

/** These hand another program's stream through, or never end. */
const STREAMS = new Set(['ssh', 'lab:ssh', 'lab:hollow-serve', 'gateway', 'registrator']);

/** Arguments of those that need some; the others run without. */
const ARGUMENTS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'backend:show': [['b'], [HOSTILE]],
  complete: [
    ['--', 'status', ''],
    ['--', 'frontend', 'show', ''],
    ['--', 'machine', 'show', ''],
  ],
  completion: [['bash']],
  'frontend:history': [['g'], [HOSTILE]],
  'frontend:match': [['http://g/'], ['http://x/y'], [`http://g/${HOSTILE}`]],
  'frontend:show': [['g'], ['f'], [HOSTILE]],
  'host:show': [[HOSTILE]],
  journal: [
    [UNIT],
    [TALKS],
    [TALKS, '--output', 'json'],
    [TALKS, '--lines', '50', '--output', 'cat'],
    [HOSTILE],
  ],
  'list-machines': [
    ['--full', '--fields', 'machine,ip,hostname,metadata'],
    ['--fields', HOSTILE],
  ],
  'list-unit-files': [['--fields', 'unit,desc,dstate,state,target'], []],
  'listener:show': [['l'], [HOSTILE]],
  'machine:show': [['ID'], [HOSTILE]],
  plan: [[], [UNIT]],
  'server:ls': [
    ['-b', 'b'],
    ['-b', HOSTILE],
  ],
  'server:show': [
    ['-b', 'b', '--id', 's'],
    ['-b', 'b', '--id', HOSTILE],
  ],
  status: [[UNIT], [TALKS], [HOSTILE]],
  top: [['--refresh', '0']],
  'gateway:top': [['--refresh', '0']],
  verify: [[UNIT], [HOSTILE]],
};

const looking = await Promise.all(
  Object.entries(COMMANDS).map(async ([id, load]) => ({ id, changes: (await load()).default.changes })),
);
const cases = looking
  .filter(({ id, changes }) => changes === 'nothing' && !STREAMS.has(id) && id !== 'cat')
  .flatMap(({ id }) => (ARGUMENTS[id] ?? [[]]).map((args) => [id.replaceAll(':', ' '), args] as const));

test.each(cases)('cluster %s %j prints nothing that a terminal acts on', async (id, args) => {
  const words = args.map((word) => (word === 'ID' ? (lab.machines[0]?.id ?? '') : word));
  const ways = id.startsWith('comple') || id === 'help' ? [[]] : [[], ['--json']];
  const look = async (json: readonly string[]): Promise<void> => {
    const { stdout, stderr } = await at.run(...id.split(' '), ...json, ...words);
    expect(stdout + stderr).not.toBe('');
    expect(stdout, `${json} stdout`).not.toMatch(RAW);
    expect(stderr, `${json} stderr`).not.toMatch(RAW);
    // journalctl's own text has messages of several lines.
    if (id !== 'journal' || json.length > 0)
      expect(stdout + stderr, 'a line that a value began').not.toMatch(/^forged/m);
  };
  await Promise.all(ways.map(look));
});

test('hostile values are shown, not dropped', async () => {
  expect((await at.run('list-machines')).stdout).toContain('x\\x1b]0;owned\\x07\\x1b[31m\\r\\nforged');
  const machines = JSON.parse((await at.run('list-machines', '--json')).stdout);
  expect(machines[0].hostname).toBe(HOSTILE);
  expect((await at.run('backend', 'ls')).stdout).toContain('\\x9b2J');
  const journal = await at.ok('journal', TALKS, '--lines', '50', '--output', 'cat');
  expect(journal.stdout).toContain('\\x1b]0;owned');
});

test('a unit file is printed byte for byte to a pipe', async () => {
  expect((await at.run('cat', UNIT)).stdout).toContain(IN_A_FILE);
});
