import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { type Ran, type Workplace, workplace } from '../support/cli.ts';
import { workplaceWith } from '../support/hollow.ts';

const MACHINES = 30;
const AWAY = 10;
const TIMEOUT_MS = 1000;
let home: Workplace;
let at: Workplace;
let lab: HollowLab;
const silent: Server[] = [];
const held = new Set<Socket>();

beforeAll(async () => {
  home = await workplace();
  lab = await hollowUp({ machines: MACHINES, stateDir: join(home.dir, 'lab'), name: 'unreachable' });
  at = await workplaceWith(lab, { CLUSTER_SSH_TIMEOUT: `${TIMEOUT_MS}ms` });
  await at.file('all.service', '[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\nGlobal=true\n');
  await at.file('more.service', '[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\nGlobal=true\n');
  await at.ok('start', 'all.service');
});

afterAll(async () => {
  for (const socket of held) socket.destroy();
  await Promise.all(silent.map((server) => new Promise((resolve) => server.close(resolve))));
  await lab.close();
  await at.remove();
  await home.remove();
});

/** Puts in a machine's place what takes connections and never says a word: only a timeout ends that. */
async function silence(index: number): Promise<void> {
  await lab.servers[index]?.close();
  const server = createServer((socket) => {
    held.add(socket);
    socket.on('error', () => undefined);
  });
  silent.push(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(lab.machines[index]?.port, '127.0.0.1', resolve);
  });
}

async function timed(...args: string[]): Promise<Ran & { ms: number }> {
  const before = performance.now();
  const ran = await at.run(...args);
  return { ...ran, ms: performance.now() - before };
}

test(`${AWAY} silent machines of ${MACHINES} cost one timeout together, and hide no row`, async () => {
  const base = await timed('list-units', '--json');
  expect(base, base.stderr).toMatchObject({ code: 0 });
  await Promise.all(Array.from({ length: AWAY }, (_, index) => silence(index)));

  const listed = await timed('list-units');
  expect(listed.code).toBe(4);
  expect(listed.ms).toBeGreaterThan(TIMEOUT_MS);
  expect(listed.ms).toBeLessThan(2 * base.ms + 2.5 * TIMEOUT_MS);
  const rows = listed.stdout.trimEnd().split('\n').slice(1);
  expect(rows).toHaveLength(MACHINES);
  expect(rows.filter((row) => / unreachable +-$/.test(row))).toHaveLength(AWAY);
  expect(rows.filter((row) => / active +running$/.test(row))).toHaveLength(MACHINES - AWAY);
  expect(listed.stderr.match(/^Error: .*no answer within 1 s$/gm)).toHaveLength(AWAY);
  const away = new Set(lab.machines.slice(0, AWAY).map(({ id }) => id));
  const json = await at.run('list-units', '--json');
  expect(json.code).toBe(4);
  const units = JSON.parse(json.stdout) as { active: string; machine: { id: string } }[];
  expect(units.filter(({ machine }) => away.has(machine.id)).map(({ active }) => active)).toEqual(
    Array(AWAY).fill('unreachable'),
  );

  const started = await timed('start', 'more.service');
  expect(started.code).toBe(4);
  expect(started.ms).toBeLessThan(2 * base.ms + 2.5 * TIMEOUT_MS);
  expect(started.stderr.match(/^Error: .*no answer within 1 s/gm)).toHaveLength(AWAY);
  expect(started.stdout).toContain('Triggered global unit more.service start');
  const after = await at.run('list-units', '--no-legend');
  expect(after.stdout.match(/^more\.service .* active +running$/gm)).toHaveLength(MACHINES - AWAY);
});

test('a plan that could not look everywhere says so and does not exit 0', async () => {
  const ran = await at.run('plan');
  expect(ran).toMatchObject({ code: 1, stdout: 'Nothing to do on the machines that answer.\n' });
  expect(ran.stderr).toMatch(/cannot be reached/);
});
