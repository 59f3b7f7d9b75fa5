import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startLoad } from '../../scripts/load.ts';
import {
  at,
  DOMAIN,
  during,
  expectNoFailure,
  machines,
  NEW,
  ok,
  on,
  reason,
  servers,
  within,
  withTalk,
} from './support/talk.ts';

const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples');
const UNITS = `${NEW}@<1..2>.service`;

describe.skipIf(reason !== null)(`units leave the gateways (skipped: ${reason ?? 'no'})`, () => {
  withTalk();

  /** The example with another description, in the folder where commands are run. */
  const version = async (name: string): Promise<void> => {
    const text = await readFile(join(EXAMPLES, 'demo-application', `${NEW}@.service`), 'utf8');
    await at.file(`${NEW}@.service`, text.replace(/^Description=.*$/m, `Description=${name}`));
  };

  test('a new file of containers that serve, by a rollout under load: no request fails, and none is asked twice', async () => {
    await version('second');
    const plan = await at.ok('start', '--replace', '--dry-run', UNITS);
    expect(plan.stdout).toContain('2 units leave the gateways before they stop');
    let said = '';
    const report = await during(async () => {
      said = await ok('start', '--replace', '--min-healthy', '2s', UNITS);
    });
    process.stderr.write(`start --replace: ${report.sent} requests, ${report.failed} failed\n`);
    expect(said).toContain('2 of 2 units healthy');
    expectNoFailure(report);
    expect(await servers(NEW)).toEqual([`${NEW}@1`, `${NEW}@2`]);
    expect(await ok('list-unit-files', '--fields', 'unit,desc', '--no-legend')).toMatch(
      new RegExp(`${NEW}@1.service +second`),
    );
  });

  test('the same by restart --rolling', async () => {
    const report = await during(() => ok('restart', '--rolling', '--min-healthy', '2s', UNITS));
    process.stderr.write(`restart --rolling: ${report.sent} requests, ${report.failed} failed\n`);
    expectNoFailure(report);
    expect(await servers(NEW)).toHaveLength(2);
  });

  test('plain services with a sidekick leave as well', async () => {
    await Promise.all(machines.map((machine) => on(machine, 'echo web > /srv/index.html')));
    await ok('backend', 'upsert', '--id', 'web');
    await ok('frontend', 'upsert', '--id', 'web', '--backend', 'web', '--route', `Host("web.${DOMAIN}")`);
    const units = [5, 6].flatMap((n) => [`web@${n}.service`, `web-announce@${n}.service`]);
    await ok('start', ...units.map((unit) => join(EXAMPLES, 'announce', unit)));
    await within('both', 20, async () => (await servers('web')).length === 2);

    const load = startLoad(
      machines.map(({ address }) => ({ address, port: 80 })),
      { host: `web.${DOMAIN}`, connections: 8 },
    );
    const said = await ok('restart', '--rolling', '--min-healthy', '2s', 'web@5.service', 'web@6.service');
    const report = await load.stop();
    process.stderr.write(`with sidekicks: ${report.sent} requests, ${report.failed} failed\n`);
    expect(said).toContain('2 of 2 units healthy');
    expectNoFailure(report);
    expect(await servers('web')).toEqual(['web-5', 'web-6']);
  });
});
