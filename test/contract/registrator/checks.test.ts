import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Described } from '../../unit/discovery/support.ts';
import {
  application,
  CHECKED,
  demo,
  docker,
  ends,
  keys,
  lines,
  NAME,
  ONE,
  poll,
  registrator,
  servers,
  withRegistry,
} from './support/registrator.ts';

withRegistry();

test('no traffic before the first good answer; out and in within an interval; one line for each change', async () => {
  const app = await application();
  app.code = 500;
  docker.run('c1', demo(app.port, 1, { ...CHECKED, SERVICE_CHECK_INTERVAL: '300ms' }));
  await registrator();
  await poll(() => lines.filter((line) => line.startsWith('Health')).length).toBe(1);
  expect(await servers()).toEqual([]);
  expect(await keys()).toContain(`/vulcand/frontends/${NAME}/frontend`);
  // An interval lies between two checks: the first good answer, and the first bad one, has its effect before the next.
  for (const [code, expected] of [
    [200, [ONE]],
    [500, []],
  ] as const) {
    const before = app.asked;
    app.code = code;
    await poll(servers).toEqual(expected);
    expect(app.asked - before).toBeLessThanOrEqual(2);
  }
  expect(await keys()).toContain(`/vulcand/frontends/${NAME}/frontend`);
  expect(await keys()).toContain(`/vulcand/backends/${ONE}/servers/${ONE}`);
  const at = `Health check ${ONE} (http://127.0.0.1:${app.port}/health) result HTTP code`;
  expect(lines.filter((line) => line.startsWith('Health'))).toEqual([`${at} 500`, `${at} 200`, `${at} 500`]);
});

test('HUP is a reload; the stop signal takes out at once, before the container is gone', async () => {
  const app = await application();
  docker.run('c1', demo(app.port));
  docker.run('c2', demo(app.port, 2, {}, { config: { StopSignal: 'SIGQUIT' } }));
  await registrator();
  await poll(servers).toHaveLength(2);
  docker.tell('c1', 'kill', { signal: '1' });
  docker.tell('c2', 'kill', { signal: '15' });
  await sleep(200);
  expect(await servers()).toHaveLength(2);
  docker.tell('c1', 'kill', { signal: '15' });
  docker.tell('c2', 'kill', { signal: '3' });
  await poll(servers).toEqual([]);
  // The same container again, on the same port.
  docker.run('c1', demo(app.port, 1, {}, { state: { StartedAt: '2026-02-02T00:00:00Z' } }));
  await poll(servers).toEqual([ONE]);
});

test("Docker's own HEALTHCHECK counts where no SERVICE_CHECK is given", async () => {
  const health = (Status: string): Described => ({
    ...demo(1234, 1, {}, { state: { Health: { Status } } }),
    id: 'c1',
  });
  docker.run('c1', health('starting'));
  await registrator();
  await poll(keys).toContain(`/vulcand/frontends/${ONE}/frontend`);
  expect(await servers()).toEqual([]);
  for (const [status, expected] of [
    ['healthy', [ONE]],
    ['unhealthy', []],
    ['healthy', [ONE]],
  ] as const) {
    docker.containers.set('c1', health(status));
    docker.tell('c1', `health_status: ${status}`);
    await poll(servers).toEqual(expected);
  }
});

test('TCP and script checks', async () => {
  const app = await application();
  docker.run('c1', demo(app.port, 1, { SERVICE_CHECK_TCP: 'true', SERVICE_CHECK_INTERVAL: '200ms' }));
  docker.run(
    'c2',
    demo(app.port, 2, { SERVICE_CHECK_SCRIPT: 'test -e /ok', SERVICE_CHECK_INTERVAL: '200ms' }),
  );
  await registrator();
  await poll(servers).toHaveLength(2);
  expect(docker.commands[0]).toBe('test -e /ok');
  docker.exitCode = 1;
  await poll(servers).toEqual([ONE]);
  expect(lines).toContain(`Health check ${NAME}@2 (test -e /ok) result exit code 1`);
  app.server.close();
  app.server.closeAllConnections();
  await poll(servers).toEqual([]);
  // Reset where the port closes while it is being asked, no answer where this computer is busy.
  const said = new RegExp(
    `^Health check ${ONE} \\(tcp://127.0.0.1:${app.port}\\) result (connection refused|connection reset|no answer .*)$`,
  );
  expect(lines).toContainEqual(expect.stringMatching(said));
});

test('an answer that never ends counts as none', async () => {
  const app = await application();
  docker.run('c1', demo(app.port, 1, CHECKED));
  await registrator();
  await poll(servers).toEqual([ONE]);
  app.server.removeAllListeners('request');
  await poll(servers).toEqual([]);
  expect(lines.join('\n')).toContain('result no answer within 200ms');
});

/** A server in a process of its own that says how often it was asked. */
async function hollowServer(): Promise<{ port: number; asked: () => Promise<number> }> {
  const code = `let n = 0; require('http').createServer((q, r) => r.end(q.url === '/n' ? String(n) : (n++, 'ok')))
    .listen(0, '127.0.0.1', function () { console.log(this.address().port) })`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  ends.push(async () => void child.kill());
  const port = Number(await new Promise((resolve) => child.stdout.once('data', resolve)));
  return { port, asked: async () => Number(await (await fetch(`http://127.0.0.1:${port}/n`)).text()) };
}

test('2,000 checks of one process keep their pace', async () => {
  const { port, asked } = await hollowServer();
  const checked = { SERVICE_CHECK_HTTP: '/health', SERVICE_CHECK_INTERVAL: '4s' };
  for (let n = 1; n <= 2000; n++) docker.containers.set(`c${n}`, { ...demo(port, n, checked), id: `c${n}` });
  await registrator();
  const count = async (): Promise<number> => (await servers()).length;
  await expect.poll(count, { timeout: 30_000, interval: 500 }).toBe(2000);
  const [from, started] = [await asked(), performance.now()];
  await sleep(8000);
  const pace = ((await asked()) - from) / ((2000 * (performance.now() - started)) / 4000);
  expect(pace).toBeGreaterThan(0.8);
  expect(pace).toBeLessThan(1.2);
  expect(await count()).toBe(2000);
});
