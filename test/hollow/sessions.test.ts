import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { type Workplace, workplace } from '../support/cli.ts';
import { workplaceWith } from '../support/hollow.ts';

let home: Workplace;
let at: Workplace;
let lab: HollowLab;

beforeEach(async () => {
  home = await workplace();
  lab = await hollowUp({ machines: 1, stateDir: join(home.dir, 'lab'), name: 'sessions' });
  at = await workplaceWith(lab, { CLUSTER_SSH_PERSIST: '0' });
  await at.file('one@.service', '[Service]\nExecStart=/bin/sh -c "echo I am %i; sleep infinity"\n');
});

afterEach(async () => {
  await lab.close();
  await at.remove();
  await home.remove();
});

/** How many commands (sessions) the machine was asked for while this ran. */
async function sessions(run: () => Promise<unknown>): Promise<number> {
  const { requests } = lab.simulations[0]!;
  const before = requests.length;
  await run();
  return requests.slice(before).filter((request) => request === 'session').length;
}

describe('an sshd with its default of ten sessions for a connection', () => {
  test.each([20, 200])('status and journal of %i units are one command each', async (count) => {
    await at.ok('start', `one@<1..${count}>.service`);
    const used = await sessions(async () => {
      const { stdout } = await at.ok('status', 'one@*', '--json');
      const reports = JSON.parse(stdout) as { unit: string; code: number; text: string }[];
      expect(reports).toHaveLength(count);
      for (const { unit, code, text } of reports) {
        expect(code).toBe(0);
        expect(text.split(' ')[1]).toBe(unit);
        expect(text.match(/Active: /g)).toHaveLength(1);
      }
    });
    expect(used).toBe(1);
    const journal = await sessions(async () => {
      const { stdout } = await at.ok('journal', 'one@*', '--lines', '3');
      for (let i = 1; i <= count; i++) expect(stdout).toContain(` one@${i}.service: I am ${i}\n`);
    });
    expect(journal).toBe(1);
  });

  test('a start of which 12 units fail says why, once for all of them', async () => {
    await at.file('bad@.service', '[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo no %i; exit 3"\n');
    const failed = await at.run('start', 'bad@<1..12>.service');
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(/unit bad@1\.service failed on .*: exit status 3 \(12 units: /);
    expect(failed.stderr).toContain('no 1\n');
    expect(failed.stderr).toContain('0 of 12 units launched, 12 failed');
  });

  test('status says which unit is not there, and exits as the first systemctl would', async () => {
    await at.ok('start', 'one@<1..3>.service');
    lab.simulations[0]!.systemd.kill('one@2.service');
    const { code, stdout } = await at.run('status', 'one@*', '--json');
    expect(code).toBe(3);
    const codes = (JSON.parse(stdout) as { code: number }[]).map((report) => report.code);
    expect(codes).toEqual([0, 3, 0]);
  });
});

test('with MaxSessions 1 everything works', async () => {
  lab.simulations[0]!.faults.maxSessions = 1;
  await at.ok('start', 'one@<1..20>.service');
  expect((await at.ok('status', 'one@*')).stdout.match(/Active: active/g)).toHaveLength(20);
  expect((await at.ok('journal', 'one@*')).stdout.match(/I am /g)).toHaveLength(20);
  await at.file('bad@.service', '[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo no %i; exit 3"\n');
  const failed = await at.run('start', 'bad@<1..12>.service');
  expect(failed.stderr).toMatch(/failed on .*: exit status 3 \(12 units: /);
  await at.ok('destroy', 'one@*', 'bad@*');
});
