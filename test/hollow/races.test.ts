import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addTargets } from '../../src/lib/control/machines/add.ts';
import type { Session } from '../../src/lib/control/session.ts';
import { destroy } from '../../src/lib/control/units/destroy.ts';
import { reconcile } from '../../src/lib/control/units/reconcile.ts';
import { restart } from '../../src/lib/control/units/restart.ts';
import { start } from '../../src/lib/control/units/start.ts';
import { stop } from '../../src/lib/control/units/stop.ts';
import { ClusterError, EXIT } from '../../src/lib/error.ts';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { mayRemove, sessionOn } from '../support/dying.ts';

/** Nothing that these tests leave behind is unknown to the registry. */

/** Of each pair of verbs; CLUSTER_RACES=100 is what a change here is tried with by hand. */
const ROUNDS = Number(process.env.CLUSTER_RACES ?? 6);
const WAIT = { block: true, attempts: 0, differing: 'keep' as const };
const NAMES = [1, 2, 3].map((n) => `k@${n}.service`);

let dir: string;
let lab: HollowLab;
let sessions: Session[];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cluster-races-'));
  lab = await hollowUp({ machines: 2, stateDir: join(dir, 'lab'), name: 'races' });
  await writeFile(join(dir, 'k@.service'), '[Service]\nExecStart=/bin/sleep infinity\n');
  sessions = await Promise.all([0, 1].map(() => sessionOn(lab, join(dir, 'store'))));
  const targets = lab.machines.map(({ port }) => ({ address: '127.0.0.1', port, user: 'root' }));
  await addTargets(sessions[0] as Session, targets, { metadata: null });
});

afterAll(async () => {
  await Promise.all(sessions.map((session) => session.close()));
  await lab.close();
  await rm(dir, { recursive: true, force: true });
});

type Verb = (session: Session) => Promise<unknown>;
const paths = () => NAMES.map((name) => join(dir, name));
const VERBS: Readonly<Record<string, Verb>> = {
  start: (session) => start(session, paths(), 'launched', WAIT),
  'start --replace': async (session) => {
    await writeFile(
      join(dir, 'k@.service'),
      `[Unit]\nDescription=${Math.random()}\n[Service]\nExecStart=/bin/sleep infinity\n`,
    );
    await start(session, paths(), 'launched', { ...WAIT, differing: 'replace' as const });
  },
  load: (session) => start(session, paths(), 'loaded', WAIT),
  stop: (session) => stop(session, NAMES, 'loaded', WAIT),
  unload: (session) => stop(session, NAMES, 'inactive', WAIT),
  destroy: (session) => destroy(session, NAMES, WAIT),
  restart: (session) => restart(session, NAMES, WAIT),
};

/** Exit code of a verb. */
async function exitOf(verb: Verb, session: Session, delayMs: number): Promise<number> {
  await sleep(delayMs);
  return verb(session).then(
    () => 0,
    (error: unknown) => {
      if (error instanceof ClusterError) return error.exit;
      throw error;
    },
  );
}

/** What differs between what is recorded and what is there; empty when nothing does. */
async function strays(session: Session): Promise<string[]> {
  const { units } = await session.state();
  return NAMES.flatMap((name) => {
    const wanted = units.get(name);
    return lab.simulations.flatMap(({ id, systemd, tree }) => {
      const runs = systemd.peek(name)?.active === 'active';
      const lies = tree.stat(`/etc/systemd/system/${name}`) !== null;
      const here = wanted !== undefined && wanted.machine === id && wanted.desired !== 'inactive';
      const isRight = runs === (here && wanted.desired === 'launched') && lies === here;
      return isRight
        ? []
        : [`${name} on ${id.slice(0, 8)}: ${JSON.stringify({ wanted: wanted?.desired, here, runs, lies })}`];
    });
  });
}

const PAIRS = [
  ['start', 'destroy'],
  ['destroy', 'start'],
  ['start', 'stop'],
  ['stop', 'start'],
  ['load', 'destroy'],
  ['unload', 'start'],
  ['start --replace', 'destroy'],
  ['destroy', 'start --replace'],
  ['restart', 'destroy'],
  ['stop', 'restart'],
] as const;

test.each(PAIRS)(`%s beside %s, ${ROUNDS} times: what is recorded is what is there`, async (one, other) => {
  const [first, second] = sessions as [Session, Session];
  const codes = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    await start(first, paths(), 'launched', WAIT);
    const ends = await Promise.all([
      exitOf(VERBS[one] as Verb, first, 0),
      exitOf(VERBS[other] as Verb, second, Math.random() * 25),
    ]);
    expect([EXIT.ok, EXIT.conflict, EXIT.failed]).toEqual(expect.arrayContaining(ends));
    codes.set(ends.join(), (codes.get(ends.join()) ?? 0) + 1);
    expect(await strays(first), `round ${round}, exits ${ends}`).toEqual([]);
  }
  if (process.env.CLUSTER_RACES) process.stdout.write(`${one} / ${other}: ${JSON.stringify([...codes])}\n`);
  expect(await reconcile(first, undefined, { dryRun: true, mayRemove })).toMatchObject({ steps: [] });
});
