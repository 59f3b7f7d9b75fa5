import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { labCutOff, labReconnect } from '../../src/lib/lab/real/index.ts';
import { hashOf, variantOf } from '../support/release.ts';
import {
  ask,
  at,
  DOMAIN,
  demo,
  during,
  expectNoFailure,
  type Machine,
  machineOf,
  machines,
  NAME,
  NEW,
  OLD,
  ok,
  on,
  output,
  PUBLIC,
  reason,
  servers,
  within,
  withTalk,
} from './support/talk.ts';

describe.skipIf(reason !== null)(`the talk${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  withTalk();

  test('the demo plays it all, and no request fails in the switch', () => {
    for (const unit of ['gateway', 'registrator', 'etcd-member'])
      expect(output.match(new RegExp(`^${unit}\\.service\\s+\\S+\\s+active\\s+running`, 'gm'))).toHaveLength(
        3,
      );
    for (const unit of [`${OLD}@1`, `${OLD}@2`, `${NEW}@1`, `${NEW}@2`])
      expect(output).toMatch(new RegExp(`^${unit}\\.service\\s+\\S+\\s+active\\s+running`, 'm'));
    expect(output).toContain(`"URL":"http://10.`);
    expect(output).toContain(`Health check ${NEW}@1 (http://`);
    expect(output).toMatch(/failed: +0\n/);
    expect(output).toMatch(/answers of 0\.1\.0: +[1-9]/);
    expect(output).toMatch(/answers of 0\.2\.0: +[1-9]/);
  });

  test('it may be played again, and finds everything there', async () => {
    expect(await demo(), output.slice(-3000)).toBe(0);
    expect(output).toMatch(/failed: +0\n/);
  });

  test('a second plan has nothing to say', async () => {
    expect(await ok('reconcile', '--dry-run')).toContain('Nothing to do');
  });

  test('each version and each instance has a name of its own, through any gateway', async () => {
    for (const machine of machines)
      for (const [version, backend] of [
        ['0.1.0', OLD],
        ['0.2.0', NEW],
      ] as const)
        for (const host of [backend, `instance-1.${backend}`, `instance-2.${backend}`])
          expect(await ask(machine, `${host}.${DOMAIN}`)).toEqual({ status: 200, version });
    for (const machine of machines) expect((await ask(machine, 'nobody.example.test')).status).toBe(404);
  });

  test('when all instances are sick the name answers 503, not 404', async () => {
    const instance = `instance-1.${OLD}.${DOMAIN}`;
    expect((await ask(machines[0] as Machine, instance)).status).toBe(200);
    expect((await ask(machines[0] as Machine, `${OLD}.${DOMAIN}`)).status).toBe(200);
    for (const n of [1, 2]) {
      const machine = await machineOf(`${OLD}@${n}.service`);
      await on(
        machine,
        `curl -sf -H 'Host: instance-${n}.${OLD}.${DOMAIN}' -H 'Content-Type: application/json' -d '{"health":false}' http://127.0.0.1/api/health`,
      );
    }
    await within(
      '503',
      10,
      async () => (await ask(machines[0] as Machine, `${OLD}.${DOMAIN}`)).status === 503,
    );
    expect((await ask(machines[0] as Machine, instance)).status).toBe(200);
    for (const n of [1, 2])
      await on(
        await machineOf(`${OLD}@${n}.service`),
        `curl -sf -H 'Host: instance-${n}.${OLD}.${DOMAIN}' -H 'Content-Type: application/json' -d '{"health":true}' http://127.0.0.1/api/health`,
      );
    await within('200', 10, async () => (await servers(OLD)).length === 2);
  });

  describe('plain services announce themselves', () => {
    const folder = join(import.meta.dirname, '..', '..', 'examples', 'announce');
    const status = async () => (await ask(machines[0] as Machine, `web.${DOMAIN}`)).status;

    beforeAll(async () => {
      await Promise.all(machines.map((machine) => on(machine, 'echo web > /srv/index.html')));
      await ok('backend', 'upsert', '--id', 'web');
      await ok('frontend', 'upsert', '--id', 'web', '--backend', 'web', '--route', `Host("web.${DOMAIN}")`);
    });

    test.each([
      ['ExecStartPost and ExecStopPost, by cluster', ['web-self@1.service']],
      ['ExecStartPost and ExecStopPost, by etcdctl', ['web-self-etcdctl@2.service']],
      ['a sidekick, by cluster', ['web@3.service', 'web-announce@3.service']],
      ['a sidekick, by etcdctl', ['web@4.service', 'web-announce-etcdctl@4.service']],
    ])('%s', async (_, units) => {
      await ok('start', ...units.map((unit) => join(folder, unit)));
      await within('an answer', 10, async () => (await status()) === 200);
      await ok('stop', units[0] ?? '');
      await within('503', 10, async () => (await status()) === 503);
      await ok('destroy', ...units);
    });
  });

  test('twenty switches to and fro under load: no request fails', async () => {
    expectNoFailure(
      await during(async () => {
        for (let n = 0; n < 20; n++) await ok('frontend', 'upsert', '-b', n % 2 === 0 ? 'v0.2.0' : 'v0.1.0');
      }),
    );
  });

  test('kill -9 of a container: the other one answers', async () => {
    const machine = await machineOf(`${OLD}@1.service`);
    expectNoFailure(await during(() => on(machine, `docker kill -s KILL ${OLD}-1`)));
    await within('that it is back', 20, async () => (await servers(OLD)).length === 2);
  });

  test('kill -9 of a registrator: nobody notices, and it comes back', async () => {
    const machine = await machineOf(`${OLD}@2.service`);
    expectNoFailure(
      await during(() => on(machine, 'systemctl kill -s KILL --kill-who=main registrator.service'), {
        after: 4000,
      }),
    );
    expect(await servers(OLD)).toEqual([`${OLD}@1`, `${OLD}@2`]);
  });

  test('kill -9 of a gateway: HAProxy goes on, the next one takes it over', async () => {
    const [machine] = machines as [Machine];
    const haproxy = () => on(machine, 'pgrep -o haproxy');
    const before = await haproxy();
    expectNoFailure(
      await during(() => on(machine, 'systemctl kill -s KILL --kill-who=main gateway.service'), {
        after: 3000,
      }),
    );
    expect(await haproxy()).toBe(before);
    await ok('frontend', 'upsert', '-b', 'v0.2.0');
    expect((await ask(machine, PUBLIC)).version).toBe('0.2.0');
    await ok('frontend', 'rollback', PUBLIC);
  });

  test('a restart of every gateway, one after another, drops nothing', async () => {
    expectNoFailure(await during(() => ok('restart', '--rolling', 'gateway.service'), { after: 500 }));
  });

  test('a new release, put on one machine after another, drops nothing', async () => {
    const folder = join(import.meta.dirname, '..', '..', 'dist', 'release');
    const [release = ''] = (await readdir(folder)).filter((name) => name.endsWith('.tar.gz'));
    const file = variantOf(join(folder, release), at.dir, 'next');
    expectNoFailure(
      await during(
        async () => {
          await ok('machine', 'install', '--release', file);
          await ok('restart', '--rolling', 'gateway.service', 'registrator.service');
        },
        { after: 500 },
      ),
    );
    const [machine] = machines as [Machine];
    expect(await on(machine, 'readlink /opt/cluster')).toContain(hashOf('next'));
    expect(await on(machine, 'readlink /proc/$(systemctl show -p MainPID --value gateway)/exe')).toContain(
      hashOf('next'),
    );
  });

  test('kill -9 of the etcd leader: units and traffic go on, and a switch still works', async () => {
    const leader = (
      await on(
        machines[0] as Machine,
        `ETCDCTL_API=3 etcdctl --endpoints ${at.env.CLUSTER_ENDPOINT} endpoint status -w simple`,
      )
    )
      .split('\n')
      .find((line) => line.includes(' true'));
    const machine = machines.find(({ address }) => leader?.includes(`//${address}:`)) as Machine;
    expectNoFailure(
      await during(() => on(machine, 'systemctl kill -s KILL --kill-who=main etcd-member.service'), {
        after: 4000,
      }),
    );
    await ok('frontend', 'upsert', '-b', 'v0.2.0');
    await ok('frontend', 'rollback', PUBLIC);
  });

  test("a machine's Docker is stopped: its containers leave, the others answer", async () => {
    const machine = await machineOf(`${OLD}@1.service`);
    expectNoFailure(
      await during(() => on(machine, 'systemctl stop docker.socket docker.service'), { after: 3000 }),
    );
    await on(machine, 'systemctl start docker.service');
    await ok('reconcile');
    await within('that it is back', 30, async () => (await servers(OLD)).length === 2);
  });

  test('a machine is cut off: its servers leave the rotation by themselves', async () => {
    const machine = await machineOf(`${OLD}@1.service`);
    const gateways = machines.filter(({ id }) => id !== machine.id);
    const report = await during(
      async () => {
        await labCutOff(NAME, machine.name);
        await within('that its server is gone', 25, async () => !(await servers(OLD)).includes(`${OLD}@1`));
      },
      { gateways, after: 1000 },
    );
    await labReconnect(NAME, machine.name);
    await within('that it is back', 30, async () => (await servers(OLD)).length === 2);
    expectNoFailure(report);
  });
});
