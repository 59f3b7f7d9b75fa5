import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addTargets } from '../../src/lib/control/machines/add.ts';
import type { Session } from '../../src/lib/control/session.ts';
import { destroy } from '../../src/lib/control/units/destroy.ts';
import { reconcile } from '../../src/lib/control/units/reconcile.ts';
import { start } from '../../src/lib/control/units/start.ts';
import { stop } from '../../src/lib/control/units/stop.ts';
import { ClusterError } from '../../src/lib/error.ts';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { mayRemove, sessionOn } from '../support/dying.ts';

/** Nothing that these tests leave behind is unknown to the registry. */

const WAIT = { block: true, attempts: 0, differing: 'refuse' } as const;
const LINKS = ['BindsTo', 'Requires', 'Requisite', 'PartOf', 'Wants', 'Upholds', 'WantedBy', 'RequiredBy'];
const VERBS = ['stop', 'unload', 'destroy'] as const;

let dir: string;
let lab: HollowLab;
let session: Session;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cluster-linked-'));
  lab = await hollowUp({ machines: 2, stateDir: join(dir, 'lab'), name: 'linked' });
  session = await sessionOn(lab, join(dir, 'store'));
  const targets = lab.machines.map(({ port }) => ({ address: '127.0.0.1', port, user: 'root' }));
  await addTargets(session, targets, { metadata: null });
});

afterAll(async () => {
  await session.close();
  await lab.close();
  await rm(dir, { recursive: true, force: true });
});

const path = (unit: string): string => join(dir, unit);
const isActive = (unit: string): boolean =>
  lab.simulations.some(({ systemd }) => systemd.peek(unit)?.active === 'active');

async function begin(link: string, follows: boolean): Promise<void> {
  const { units } = await session.state();
  if (units.size > 0) await destroy(session, [...units.keys()], WAIT);
  const install = link.endsWith('By') ? `[Install]\n${link}=app@%i.service\n` : '';
  const unit = install === '' ? `[Unit]\n${link}=app@%i.service\nAfter=app@%i.service\n` : '';
  const fleet = follows ? '[X-Fleet]\nMachineOf=app@%i.service\n' : '';
  await writeFile(path('app@.service'), '[Service]\nExecStart=/bin/sleep infinity\n');
  await writeFile(
    path('reg@.service'),
    `${unit}[Service]\nExecStart=/bin/sleep infinity\n${install}${fleet}`,
  );
  // Without MachineOf they may be on two machines, and then one of them is held.
  await start(session, [path('app@1.service'), path('reg@1.service')], 'launched', WAIT).catch(
    (error: unknown) => {
      if (follows || !(error instanceof ClusterError)) throw error;
    },
  );
}

const ACTS: Readonly<Record<string, (unit: string) => Promise<unknown>>> = {
  stop: (unit) => stop(session, [unit], 'loaded', WAIT),
  unload: (unit) => stop(session, [unit], 'inactive', WAIT),
  destroy: (unit) => destroy(session, [unit], WAIT),
  start: (unit) => start(session, [path(unit)], 'launched', WAIT),
};

/** A verb, whatever it ends in: some combinations are refused with a reason. */
async function act(verb: string, unit: string): Promise<void> {
  await ACTS[verb]?.(unit).catch((error: unknown) => {
    if (!(error instanceof ClusterError)) throw error;
  });
}

async function expectSettled(what: string): Promise<void> {
  await reconcile(session, undefined, { dryRun: false, mayRemove });
  const again = await reconcile(session, undefined, { dryRun: false, mayRemove });
  expect(again.steps, what).toEqual([]);
  const { units } = await session.state();
  for (const unit of ['app@1.service', 'reg@1.service'])
    if (units.get(unit)?.desired !== 'launched' && !isUpheld(unit, units))
      expect(isActive(unit), `${what}: ${unit}`).toBe(false);
}

/** systemd starts app again whenever it stops, as long as it is installed and reg runs, which upholds it. */
function isUpheld(unit: string, units: ReadonlyMap<string, { readonly desired: string }>): boolean {
  if (unit !== 'app@1.service' || units.get(unit)?.desired !== 'loaded') return false;
  const def = lab.simulations.flatMap(({ systemd }) => systemd.peek('reg@1.service')?.def.upholds ?? []);
  return def.includes(unit) && units.get('reg@1.service')?.desired === 'launched';
}

const CASES = LINKS.flatMap((link) => [true, false].map((follows) => [link, follows] as const));

test.each(CASES)(
  '%s= (beside its leader: %s): a second reconcile has nothing to do, whatever was done',
  async (link, follows) => {
    for (const unit of ['app@1.service', 'reg@1.service'])
      for (const verb of VERBS) {
        await begin(link, follows);
        await act(verb, unit);
        await expectSettled(`${verb} ${unit}`);
        const other = unit.startsWith('app') ? 'reg@1.service' : 'app@1.service';
        await act('start', other);
        await expectSettled(`${verb} ${unit}, start ${other}`);
        await act('start', unit);
        await expectSettled(`${verb} ${unit}, start both`);
      }
  },
  60_000,
);

test('a stop of the unit that another one is bound to stays, and the other says why it is down', async () => {
  await begin('BindsTo', true);
  await act('stop', 'app@1.service');
  for (let round = 0; round < 3; round++)
    expect((await reconcile(session, undefined, { dryRun: false, mayRemove })).steps).toEqual([]);
  expect([isActive('app@1.service'), isActive('reg@1.service')]).toEqual([false, false]);
  await expect(start(session, [path('reg@1.service')], 'launched', WAIT)).rejects.toMatchObject({
    code: 'unit-held',
    exit: 1,
  });
  await act('start', 'app@1.service');
  await reconcile(session, undefined, { dryRun: false, mayRemove });
  expect([isActive('app@1.service'), isActive('reg@1.service')]).toEqual([true, true]);
});

const TRIGGERS = {
  timer: '[Timer]\nOnCalendar=daily\n',
  socket: '[Socket]\nListenStream=127.0.0.1:1\n',
  path: '[Path]\nPathExists=/nowhere\n',
};

test.each(Object.entries(TRIGGERS))(
  'a %s and its service: a second reconcile has nothing to do, whatever was done',
  async (type, settings) => {
    const { units } = await session.state();
    if (units.size > 0) await destroy(session, [...units.keys()], WAIT);
    const names = ['x.service', `x.${type}`];
    await writeFile(path('x.service'), '[Service]\nExecStart=/bin/sleep infinity\n');
    const install = `[Install]\nWantedBy=${type}s.target\n[X-Fleet]\nMachineOf=x.service\n`;
    await writeFile(path(`x.${type}`), `${settings}${install}`);
    for (const desired of ['loaded', 'launched'] as const)
      for (const unit of names)
        for (const verb of VERBS) {
          const what = `${desired} service, ${verb} ${unit}`;
          await start(session, [path('x.service')], desired, WAIT);
          await act('start', `x.${type}`);
          await act(verb, unit);
          await reconcile(session, undefined, { dryRun: false, mayRemove });
          expect((await reconcile(session, undefined, { dryRun: false, mayRemove })).steps, what).toEqual([]);
          const known = (await session.state()).units;
          for (const name of names)
            expect(isActive(name), `${what}: ${name}`).toBe(
              known.get(name)?.desired === 'launched' && known.get(name)?.machine !== null,
            );
          await act('start', unit);
        }
  },
  60_000,
);

test('what systemd starts again at once, for a unit that upholds it, is not said to be stopped', async () => {
  await begin('Upholds', true);
  await expect(stop(session, ['app@1.service'], 'loaded', WAIT)).rejects.toMatchObject({
    errors: [{ code: 'unit-upheld' }],
  });
  expect(isActive('app@1.service')).toBe(true);
  await act('stop', 'reg@1.service');
  await expectSettled('stop both');
  expect([isActive('app@1.service'), isActive('reg@1.service')]).toEqual([false, false]);
});
