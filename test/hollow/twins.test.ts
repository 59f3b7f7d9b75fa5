import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { type Workplace, workplace } from '../support/cli.ts';

let at: Workplace;
let first: HollowLab;
/** Machines of a lab of the same name have the same ids: copies of those of the first. */
let copy: HollowLab;

beforeAll(async () => {
  at = await workplace();
  first = await hollowUp({ machines: 1, stateDir: join(at.dir, 'lab'), name: 'twins' });
  copy = await hollowUp({ machines: 1, stateDir: join(at.dir, 'lab'), name: 'twins' });
});

afterAll(async () => {
  await first.close();
  await copy.close();
  await at.remove();
});

const add = ({ machines }: HollowLab) =>
  at.run(
    ...[
      'machine',
      'add',
      `root@127.0.0.1:${machines[0]?.port}`,
      '--ssh-identity',
      machines[0]?.identity ?? '',
    ],
    ...['--known-hosts-file', machines[0]?.knownHosts ?? '', '--strict-host-key-checking', 'accept-new'],
  );
const ports = async (): Promise<string> => (await at.run('machine', 'show', '127.0.0.1')).stdout;

test('a copy of a registered machine does not take its place, until that one is gone', async () => {
  expect(await add(first)).toMatchObject({ code: 0 });
  const refused = await add(copy);
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toMatch(/has the same machine id as 127\.0\.0\.1:\d+[\s\S]*try: give it its own/);
  expect(await ports()).toContain(`root@127.0.0.1:${first.machines[0]?.port}`);
  await first.close();
  expect((await add(copy)).stdout).toMatch(/^Machine .* updated/);
  expect(await ports()).toContain(`root@127.0.0.1:${copy.machines[0]?.port}`);
});
