import { readFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import ssh2, { type ParsedKey } from 'ssh2';
import { expect, test } from 'vitest';
import { hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { serveMachine } from '../../src/lib/lab/hollow/server.ts';
import { type Ran, workplace } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { workplaceWith } from '../support/hollow.ts';

const TIMEOUT_MS = 6000;

test('a machine that was away a moment ago is not waited for again, until it answers', async () => {
  const home = await workplace();
  const lab = await hollowUp({ machines: 2, stateDir: join(home.dir, 'lab'), name: 'again' });
  const at = await workplaceWith(lab, { CLUSTER_SSH_TIMEOUT: `${TIMEOUT_MS}ms` });
  await at.file('all.service', '[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\nGlobal=true\n');
  await at.ok('start', 'all.service');
  const timed = async (...args: string[]): Promise<Ran & { ms: number }> => {
    const before = performance.now();
    const ran = await at.run(...args);
    return { ...ran, ms: performance.now() - before };
  };

  // In its place, something that takes connections and never says a word.
  await lab.servers[0]?.close();
  await at.run('connections', 'close');
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => sockets.add(socket.on('error', () => undefined)));
  const port = lab.machines[0]?.port ?? 0;
  await new Promise<void>((resolve) => silent.listen(port, '127.0.0.1', resolve));

  const first = await timed('list-units');
  expect(first).toMatchObject({ code: 4 });
  expect(first.ms).toBeGreaterThan(TIMEOUT_MS);
  const second = await timed('list-units');
  expect(second).toMatchObject({ code: 4 });
  expect(second.ms).toBeGreaterThan(2000);
  expect(second.ms).toBeLessThan(TIMEOUT_MS);
  expect(second.stderr).toMatch(/no answer within 2 s, and none a moment ago/);
  expect(second.stdout).toMatch(/ unreachable +-$/m);

  // What decides waits as long as the settings say.
  const plan = await timed('reconcile', '--dry-run');
  expect(plan.ms).toBeGreaterThan(TIMEOUT_MS);

  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => silent.close(resolve));
  const key = async (name: string): Promise<ParsedKey> => {
    const parsed = ssh2.utils.parseKey(await readFile(join(home.dir, 'lab', name)));
    if (parsed instanceof Error) throw parsed;
    return parsed;
  };
  const [hostKey, authorised] = await Promise.all([key('host_ed25519'), key('id_ed25519')]);
  const machine = lab.simulations[0];
  if (machine === undefined) throw new Error('no such machine');
  const back = await serveMachine({ machine, hostKey, authorised, port });
  await eventually('it answers', async () => (await at.run('list-units')).code === 0, 20_000);

  await at.run('connections', 'close');
  await back.close();
  await lab.close();
  await at.remove();
  await home.remove();
}, 120_000);
