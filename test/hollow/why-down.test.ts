import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addTargets } from '../../src/lib/control/machines/add.ts';
import type { Session } from '../../src/lib/control/session.ts';
import { listUnits, type UnitRow } from '../../src/lib/control/units/list.ts';
import { reconcile } from '../../src/lib/control/units/reconcile.ts';
import { start } from '../../src/lib/control/units/start.ts';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { mayRemove, sessionOn } from '../support/dying.ts';

const WAIT = { block: true, attempts: 0, differing: 'refuse' } as const;
const RUN = '[Service]\nExecStart=/bin/sleep infinity\n';
let dir: string;
let lab: HollowLab;
let session: Session;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cluster-why-'));
  lab = await hollowUp({ machines: 1, stateDir: join(dir, 'lab'), name: 'why' });
  session = await sessionOn(lab, join(dir, 'store'));
  const targets = lab.machines.map(({ port }) => ({ address: '127.0.0.1', port, user: 'root' }));
  await addTargets(session, targets, { metadata: null });
  const tree = lab.simulations[0]!.tree;
  const docker = '/lib/systemd/system/docker.service';
  tree.write(docker, Buffer.from(RUN));
  tree.link('/etc/systemd/system/multi-user.target.wants/docker.service', docker);
});

afterAll(async () => {
  await session.close();
  await lab.close();
  await rm(dir, { recursive: true, force: true });
});

async function begin(unit: string, text: string): Promise<void> {
  await writeFile(join(dir, unit), text);
  await start(session, [join(dir, unit)], 'launched', WAIT).catch(() => undefined);
}

async function rowOf(unit: string): Promise<UnitRow | undefined> {
  const { rows } = await listUnits(session, { names: [unit], states: [], ages: false, reasons: true });
  return rows[0];
}

test('a unit whose condition is not met is not started again by each reconcile, and says why', async () => {
  await begin('c.service', `[Unit]\nConditionPathExists=/flag\nConditionPathExists=!/other\n${RUN}`);
  expect(await rowOf('c.service')).toMatchObject({
    active: 'inactive',
    unmet: true,
    why: 'its condition was not met: ConditionPathExists=/flag',
  });
  for (let round = 0; round < 2; round++)
    expect((await reconcile(session, undefined, { dryRun: false, mayRemove })).steps).toEqual([]);

  lab.simulations[0]!.tree.write('/flag', Buffer.from(''));
  await start(session, ['c.service'], 'launched', WAIT);
  expect(await rowOf('c.service')).toMatchObject({ active: 'active' });
  expect(await rowOf('c.service')).not.toHaveProperty('why');
});

test.each([
  ['f1.service', '[Service]\nType=oneshot\nExecStart=/bin/sh -c "exit 3"\n', 'exit status 3'],
  ['f2.service', '[Service]\nExecStart=/nonexistent/x\n', 'exit status 203 (the program cannot be executed)'],
])('%s: list-units and the step of reconcile tell how it failed', async (unit, text, why) => {
  await begin(unit, text);
  expect(await rowOf(unit)).toMatchObject({ active: 'failed', why });
  const { steps } = await reconcile(session, undefined, { dryRun: true, mayRemove });
  expect(steps).toContainEqual(
    expect.objectContaining({ unit, action: 'start', reason: `should be launched and is failed: ${why}` }),
  );
});

test.each(['Requires', 'BindsTo', 'PartOf'])(
  'what was stopped together with another unit by %s= says so',
  async (link) => {
    const unit = `${link.toLowerCase()}.service`;
    const { systemd } = lab.simulations[0]!;
    await systemd.enqueue('start', 'docker.service').done;
    await begin(unit, `[Unit]\n${link}=docker.service\nAfter=docker.service\n${RUN}`);
    await systemd.enqueue('stop', 'docker.service').done;
    const why = 'it was stopped together with docker.service';
    await expect.poll(() => rowOf(unit)).toMatchObject({ active: 'inactive', why });
    const { steps } = await reconcile(session, undefined, { dryRun: false, mayRemove });
    expect(steps).toContainEqual(
      expect.objectContaining({ unit, reason: `should be launched and is inactive: ${why}` }),
    );
  },
);

test('reasons cost no further question about units that run', async () => {
  const { requests } = lab.simulations[0]!;
  const machine = await session.machine([...(await session.state()).machines.values()][0]!);
  requests.length = 0;
  await machine.statuses(['c.service'], true);
  expect(requests.filter((request) => !request.endsWith('RemoveMatch'))).toEqual(['dbus ListUnitsByNames']);
});
