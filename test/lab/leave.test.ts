import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type LoadReport, startLoad } from '../../scripts/load.ts';
import {
  at,
  DOMAIN,
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

  /** The example, but for its description, and as an application that breaks off what it is doing when it is stopped. */
  const version = async (name: string): Promise<void> => {
    const text = await readFile(join(EXAMPLES, 'demo-application', `${NEW}@.service`), 'utf8');
    const abrupt = text.replace('ExecStop=/usr/bin/docker stop', 'ExecStop=/usr/bin/docker kill');
    await at.file(`${NEW}@.service`, abrupt.replace(/^Description=.*$/m, `Description=${name}`));
  };

  /** Load with answers that take 200 ms and begin at once: no gateway can ask for them again. No client does. */
  async function under(host: string, path: string, work: () => Promise<unknown>): Promise<LoadReport> {
    const targets = machines.map(({ address }) => ({ address, port: 80 }));
    const load = startLoad(targets, { host, path, connections: 24 });
    await sleep(500);
    await work().catch(async (error: unknown) => {
      await load.stop();
      throw error;
    });
    await sleep(500);
    const report = await load.stop();
    process.stderr.write(`${host}: ${report.sent} requests, ${report.failed} failed\n`);
    return report;
  }
  const STREAM = '/stream?chunks=5&ms=50';

  test('a new file of containers that serve, by a rollout under load: no request fails, and none is asked twice', async () => {
    await version('abrupt');
    await ok('start', '--replace', '--all-at-once', UNITS);
    await within('both', 20, async () => (await servers(NEW)).length === 2);
    await version('second');
    const plan = await at.ok('start', '--replace', '--dry-run', UNITS);
    expect(plan.stdout).toContain('2 units leave the gateways before they stop');
    let said = '';
    const report = await under(`${NEW}.${DOMAIN}`, STREAM, async () => {
      said = await ok('start', '--replace', '--min-healthy', '2s', UNITS);
    });
    expect(said).toContain('2 of 2 units healthy');
    expectNoFailure(report);
    expect(await servers(NEW)).toEqual([`${NEW}@1`, `${NEW}@2`]);
    expect(await ok('list-unit-files', '--fields', 'unit,desc', '--no-legend')).toMatch(
      new RegExp(`${NEW}@1.service +second`),
    );
  });

  test('the same by restart --rolling', async () => {
    const report = await under(`${NEW}.${DOMAIN}`, STREAM, () =>
      ok('restart', '--rolling', '--min-healthy', '2s', UNITS),
    );
    expectNoFailure(report);
    expect(await servers(NEW)).toHaveLength(2);
  });

  /** A program that begins its answer at once and takes 200 ms for it. */
  const SLOW = `mkdir -p /srv/cgi-bin && printf '#!/bin/sh\\necho Content-Type: text/plain; echo Content-Length: 8; echo; echo one; sleep 0.2; echo two\\n' > /srv/cgi-bin/slow && chmod +x /srv/cgi-bin/slow`;

  test('plain services with a sidekick leave as well', async () => {
    await Promise.all(machines.map((machine) => on(machine, SLOW)));
    await ok('backend', 'upsert', '--id', 'web');
    await ok('frontend', 'upsert', '--id', 'web', '--backend', 'web', '--route', `Host("web.${DOMAIN}")`);
    const units = [5, 6].flatMap((n) => [`web@${n}.service`, `web-announce@${n}.service`]);
    await ok('start', ...units.map((unit) => join(EXAMPLES, 'announce', unit)));
    await within('both', 20, async () => (await servers('web')).length === 2);

    let said = '';
    const report = await under(`web.${DOMAIN}`, '/cgi-bin/slow', async () => {
      said = await ok('restart', '--rolling', '--min-healthy', '2s', 'web@5.service', 'web@6.service');
    });
    expect(said).toContain('2 of 2 units healthy');
    expectNoFailure(report);
    expect(await servers('web')).toEqual(['web-5', 'web-6']);
  });
});
