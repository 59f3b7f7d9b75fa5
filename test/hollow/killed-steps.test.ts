import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addTargets } from '../../src/lib/control/machines/add.ts';
import { setMetadata } from '../../src/lib/control/machines/metadata.ts';
import type { Session } from '../../src/lib/control/session.ts';
import { destroy } from '../../src/lib/control/units/destroy.ts';
import { reconcile } from '../../src/lib/control/units/reconcile.ts';
import { start } from '../../src/lib/control/units/start.ts';
import { stop } from '../../src/lib/control/units/stop.ts';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { decide } from '../../src/lib/plan/index.ts';
import { Death, Killed, mayRemove, sessionOn } from '../support/dying.ts';

/** Nothing that these tests leave behind is unknown to the registry. */

const WAIT = { block: true, attempts: 0, differing: 'keep' as const };
const REPLACE = { ...WAIT, differing: 'replace' as const };
const SYSTEM = '/etc/systemd/system';
const text = (description: string): string =>
  `[Unit]\nDescription=${description}\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n`;

let dir: string;
let lab: HollowLab;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cluster-steps-'));
  lab = await hollowUp({ machines: 2, stateDir: join(dir, 'lab'), name: 'steps' });
  await run((session) =>
    addTargets(
      session,
      lab.machines.map(({ port }) => ({ address: '127.0.0.1', port, user: 'root' })),
      { metadata: { role: 'web' } },
    ),
  );
});

afterEach(async () => {
  await lab.close();
  await rm(dir, { recursive: true, force: true });
});

async function run<T>(what: (session: Session) => Promise<T>, death = new Death()): Promise<T | 'killed'> {
  const session = await sessionOn(lab, join(dir, 'store'), death);
  try {
    return await what(session);
  } catch (error) {
    if (error instanceof Killed) return 'killed';
    throw error;
  } finally {
    await session.close();
  }
}

const file = async (name: string, content: string): Promise<string> => {
  await writeFile(join(dir, name), content);
  return join(dir, name);
};

async function startTwo(): Promise<void> {
  const path = await file('k@.service', text('first'));
  const units = [1, 2].map((n) => path.replace('@', `@${n}`));
  await run((session) => start(session, units, 'launched', WAIT));
}

async function startGlobal(): Promise<void> {
  const path = await file('g.service', `${text('global')}[X-Fleet]\nGlobal=true\nMachineMetadata=role=web\n`);
  await run((session) => start(session, [path], 'launched', WAIT));
}

/** Each machine has what the registry says, systemd has read it, and nothing else is left of us. */
async function expectHealed(): Promise<void> {
  await run(async (session) => {
    const state = await session.state();
    expect([...state.leaving.keys()]).toEqual([]);
    const assignments = decide(state).assignments;
    for (const machine of lab.simulations) {
      const here = new Map(
        assignments.filter((one) => one.machine === machine.id).map((one) => [one.unit, one]),
      );
      expect(machine.tree.list('/etc/cluster/unsettled')).toEqual([]);
      expect(machine.tree.list('/etc/cluster/units').sort()).toEqual([...here.keys()].sort());
      for (const unit of ['k@1.service', 'k@2.service', 'g.service']) {
        const assigned = here.get(unit);
        const launched = assigned?.desired === 'launched';
        const seen = machine.systemd.peek(unit);
        const link = (folder: string) => machine.tree.stat(`${SYSTEM}/${folder}/${unit}`) !== null;
        expect(seen?.active ?? 'inactive', unit).toBe(launched ? 'active' : 'inactive');
        expect(link('cluster.target.wants'), `${unit} at boot`).toBe(launched);
        expect(link('multi-user.target.wants'), `${unit} [Install]`).toBe(assigned !== undefined);
        const expected = assigned && state.files.get(assigned.hash);
        expect(machine.tree.text(`${SYSTEM}/${unit}`) ?? undefined, unit).toBe(expected);
        // What systemd has in memory is what the file says.
        if (expected === undefined) expect(seen, `${unit} in memory`).toBeUndefined();
        else if (seen) expect(expected).toContain(`Description=${seen.def.description}\n`);
      }
    }
  });
}

interface Case {
  readonly name: string;
  readonly before: () => Promise<void>;
  readonly verb: (session: Session) => Promise<unknown>;
  /** At the least so many places to die. */
  readonly effects: number;
}

const CASES: readonly Case[] = [
  {
    name: 'start',
    before: async () => void (await file('k@.service', text('first'))),
    verb: (session) => start(session, [join(dir, 'k@1.service'), join(dir, 'k@2.service')], 'launched', WAIT),
    effects: 5,
  },
  {
    name: 'start --replace',
    before: async () => {
      await startTwo();
      await file('k@.service', text('second'));
    },
    verb: (session) => start(session, [join(dir, 'k@1.service')], 'launched', REPLACE),
    effects: 6,
  },
  { name: 'stop', before: startTwo, verb: (session) => stop(session, ['k@*'], 'loaded', WAIT), effects: 2 },
  {
    name: 'unload',
    before: startTwo,
    verb: (session) => stop(session, ['k@*'], 'inactive', WAIT),
    effects: 5,
  },
  { name: 'destroy', before: startTwo, verb: (session) => destroy(session, ['k@*'], WAIT), effects: 5 },
  {
    name: 'destroy of a global unit',
    before: startGlobal,
    verb: (session) => destroy(session, ['g'], WAIT),
    effects: 8,
  },
  {
    name: 'set-metadata that takes a global unit off',
    before: startGlobal,
    verb: (session) => setMetadata(session, lab.simulations[0]?.id ?? '', ['role=db']),
    effects: 5,
  },
];

test.each(CASES)(
  '$name, killed between any two steps: one reconcile heals it',
  async ({ before, verb, effects }) => {
    await before();
    for (let after = 0; ; after++) {
      const death = new Death(after);
      const ended = await run(verb, death);
      await run((session) => reconcile(session, undefined, { dryRun: false, mayRemove }));
      await expectHealed();
      const again = await run((session) => reconcile(session, undefined, { dryRun: true, mayRemove }));
      expect(again).toMatchObject({ steps: [], failures: [] });
      if (ended !== 'killed') {
        expect(death.passed).toBeGreaterThanOrEqual(effects);
        return;
      }
      await reset();
      await before();
    }
  },
);

async function reset(): Promise<void> {
  await run(async (session) => {
    const { units, machines } = await session.state();
    if (units.size > 0) await destroy(session, [...units.keys()], WAIT);
    for (const id of machines.keys()) await setMetadata(session, id, ['role=web']);
  });
}

test('a failed unit that is stopped does not start at the next boot', async () => {
  const path = await file('f.service', '[Service]\nExecStart=/bin/false\n');
  await run((session) => start(session, [path], 'launched', WAIT).catch(() => undefined));
  await run((session) => stop(session, ['f'], 'loaded', WAIT));
  for (const machine of lab.simulations)
    expect(machine.tree.list(`${SYSTEM}/cluster.target.wants`)).toEqual([]);
});
