import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { type Workplace, workplace } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';

/** A way to a machine that can be cut: nothing goes through then, and nobody is told, as with a pulled cable. */
class Cable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cut = false;

  constructor(port: number) {
    this.#server = createServer((near) => {
      this.#sockets.add(near);
      near.on('error', () => undefined);
      if (this.#cut) return void near.pause();
      const far = connect(port, '127.0.0.1');
      this.#sockets.add(far);
      far.on('error', () => undefined);
      near.on('close', () => this.#cut || far.destroy());
      far.on('close', () => this.#cut || near.destroy());
      near.pipe(far);
      far.pipe(near);
    });
  }

  async open(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  /** What was open before stays dead; new connections go through. */
  mend(): void {
    this.#cut = false;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

let at: Workplace;
let lab: HollowLab;
let cables: Cable[];

beforeEach(async () => {
  const home = await workplace();
  lab = await hollowUp({ machines: 2, stateDir: join(home.dir, 'lab'), name: 'cut' });
  cables = lab.machines.map(({ port }) => new Cable(port));
  const ports = await Promise.all(cables.map((cable) => cable.open()));
  at = await workplace({
    CLUSTER_SSH_IDENTITY: lab.machines[0]?.identity,
    CLUSTER_STRICT_HOST_KEY_CHECKING: 'accept-new',
    CLUSTER_GONE_AFTER: '3s',
    CLUSTER_SSH_TIMEOUT: '3s',
  });
  await at.ok('machine', 'add', ...ports.map((port) => `root@127.0.0.1:${port}`));
  await at.file(
    'slow.service',
    "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'sleep 50; exit 0'\n[X-Fleet]\nGlobal=true\n",
  );
  const loop = "ExecStart=/bin/sh -c 'while true; do echo tick; sleep 0.3; done'";
  await at.file('tick.service', `[Service]\n${loop}\n[X-Fleet]\nGlobal=true\n`);
});

afterEach(async () => {
  await at.run('connections', 'close');
  for (const cable of cables) cable.close();
  await lab.close();
  await at.remove();
});

test.each([
  ['by ssh2', { CLUSTER_SSH_TRANSPORT: 'ssh2', CLUSTER_SSH_PERSIST: '0' }],
  ['by OpenSSH', { CLUSTER_SSH_TRANSPORT: 'openssh', CLUSTER_SSH_PERSIST: '0' }],
  ['by a held connection', {}],
])(
  'a machine that is cut off while a start waits is told within the time for "gone" (%s)',
  async (_, env) => {
    Object.assign(at.env, env);
    await at.ok('list-units');
    await at.ok('list-units');
    const running = at.start('start', 'slow.service');
    await eventually(
      'the jobs run',
      () => lab.simulations.every(({ systemd }) => systemd.peek('slow.service')?.job),
      20_000,
    );
    cables[0]?.cut();
    const begun = performance.now();
    await eventually('it is told', () => running.log().includes('the connection was lost'), 20_000);
    // Three seconds, and what a busy computer adds.
    expect(performance.now() - begun).toBeLessThan(8000);
    running.child.kill('SIGKILL');
    await running.ended;
  },
  90_000,
);

test('journal --follow says who is away and who is back, and goes on by itself', async () => {
  await at.ok('start', 'tick.service');
  const running = at.start('journal', '--json', '--follow', 'tick.service');
  const ticks = (from: number): number =>
    running
      .log()
      .slice(from)
      .match(/"text":"tick"/g)?.length ?? 0;
  await eventually('both machines are followed', () => ticks(0) > 8, 20_000);
  cables[0]?.cut();
  await eventually('one is told to be away', () => /WARNING: \S+ is away: /.test(running.log()), 20_000);
  const then = running.log().length;
  await eventually('the other goes on', () => ticks(then) > 3, 20_000);
  cables[0]?.mend();
  await eventually('it is back', () => /Machine \S+ is back after \d+ s/.test(running.log()), 20_000);
  const later = running.log().length;
  await eventually('both go on', () => ticks(later) > 8, 20_000);
  const lines = running
    .log()
    .split('\n')
    .filter((line) => line.includes('"text":"tick"'));
  expect(new Set(lines).size, 'no line is told twice').toBe(lines.length);
  running.child.kill('SIGINT');
  await running.ended;
}, 120_000);
