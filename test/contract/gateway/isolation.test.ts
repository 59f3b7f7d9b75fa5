import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { symlink } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../../../src/lib/gateway/haproxy/process/socket.ts';
import type { Running } from '../../support/cli.ts';
import { eventually } from '../../support/eventually.ts';
import { route, type Site, type SmallServer, site, smallServer } from './support/features.ts';
import { upgraded } from './support/process.ts';

const isRoot = process.getuid?.() === 0;
const SOCKETS = '/run/cluster-gateway/listeners';
let at: Site;
let app: SmallServer;
let gateway: Running;
let broken = false;
const breaker = [
  'cbreaker upsert -f app -id cb --fallback-duration 20s --check-period 20ms --condition',
  'ResponseCodeRatio(500, 600, 0, 600) > 0.5',
  '--fallback',
  JSON.stringify({ Type: 'response', Action: { StatusCode: 418, Body: 'tripped' } }),
] as const;

beforeAll(async () => {
  at = await site('embedded');
  app = await smallServer((_request, response) => {
    response.statusCode = broken ? 500 : 200;
    response.end('app');
  });
  app.server.on('upgrade', (_request, socket) => {
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end()).resume();
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nup:',
    );
  });
  await at.run('backend upsert -id app');
  await at.run('server upsert -b app -id one -url', app.url);
  await at.run('frontend upsert -b app', ...route('app'));
  await at.run(...breaker);
  gateway = await at.start('--max-draining', '2');
});
afterAll(async () => {
  await at.close();
  app.close();
});

/** A gateway process after another, which is killed and leaves HAProxy to it. */
async function restart(): Promise<void> {
  gateway.child.kill('SIGKILL');
  await gateway.ended;
  gateway = await at.start('--max-draining', '2');
}

const run = (name: string) => join(at.dir, 'run', name);
const worker = async (): Promise<number> => {
  const [info = ''] = await ask(run('admin.sock'), ['show info']);
  return Number(/^Pid: (\d+)$/m.exec(info)?.[1]);
};
const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);

describe.runIf(isRoot)('the worker', () => {
  const ids = (pid: number) => /^Uid:\s+(\d+)\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));

  test('is the user haproxy, without a capability, and sees nothing but its jail', async () => {
    const pid = await worker();
    const uid = execFileSync('id', ['-u', 'haproxy'], { encoding: 'utf8' }).trim();
    expect(ids(pid)?.slice(1)).toEqual([uid, uid]);
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^CapEff:\s+0+$/m);
    expect(readlinkSync(`/proc/${pid}/root`)).toBe(run('jail'));
    expect(ids((await at.status()).proxy.pid ?? 0)?.[1]).toBe('0');
  });

  test('cannot read or write what the gateway keeps', () => {
    expect(mode(run(''))).toBe('700');
    expect(mode(run('jail'))).toBe('750');
    for (const file of ['admin.sock', 'master.sock', 'haproxy.cfg', 'serving.json'])
      expect(mode(run(file))).toBe('600');
    const asNobody = (path: string) => execFileSync('ls', [path], { stdio: 'pipe', uid: 65534, gid: 65534 });
    expect(() => asNobody(run('jail'))).toThrow();
  });

  test('and a reload, a server that comes, and a gateway that takes over go on as before', async () => {
    await at.run('backend upsert -id more');
    await at.run('server upsert -b app -id two -url', app.url);
    await at.settled();
    expect(await at.statuses(4, 'app')).toEqual([200, 200, 200, 200]);
    const { pid } = (await at.status()).proxy;
    await restart();
    expect((await at.status()).proxy.pid).toBe(pid);
    expect(await at.statuses(4, 'app')).toEqual([200, 200, 200, 200]);
  });

  test('a user that does not exist is refused, before anything is started', async () => {
    const other = await site('embedded');
    const { code, stderr } = await other.spawn('--proxy-user', 'no-such-user').ran;
    expect(code).not.toBe(0);
    expect(stderr).toContain('there is no such user');
    await other.close();
  });
});

test('nobody but HAProxy can write the request log, and a breaker still trips by it', async () => {
  const forged = JSON.stringify({
    fe: 'app',
    be: 'app',
    srv: 'one',
    m: 'GET',
    st: 500,
    ts: '--',
    tr: 1,
    path: '/',
  });
  expect(readFileSync(run('haproxy.cfg'), 'utf8')).not.toMatch(/^\s*log [\d[]/m);
  if (isRoot) {
    const client = `require('net').connect(${JSON.stringify(run('jail/requests.sock'))}).on('error',(e)=>{console.log(e.code);process.exit()}).end(${JSON.stringify(`${forged}\n`.repeat(50))})`;
    const said = execFileSync(process.execPath, ['-e', client], { uid: 65534, gid: 65534 });
    expect(said.toString().trim()).toBe('EACCES');
  }
  expect(await at.statuses(3, 'app')).toEqual([200, 200, 200]);
  broken = true;
  await eventually('the breaker trips', async () => (await at.ask('app')).status === 418);
  broken = false;
});

describe('listeners on Unix sockets', () => {
  const via = (path: string): Promise<number> =>
    new Promise((resolve) => {
      const asked = request({ socketPath: path, headers: { host: 'nobody' }, agent: false }, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      });
      asked.on('error', () => resolve(0)).end();
    });

  test('are in a directory of ours, for their group, by name or path', async () => {
    await at.all(
      ['listener upsert --id main --addr', `127.0.0.1:${at.listen}`],
      ['listener upsert --id web --net unix --addr web.sock'],
      ['listener upsert --id open --net unix --socket-mode 0666 --addr', `${SOCKETS}/open.sock`],
    );
    const path = (name: string) => run(`listeners/${name}`);
    expect([await via(path('web.sock')), await via(path('open.sock'))]).toEqual([404, 404]);
    expect([mode(path('web.sock')), mode(path('open.sock')), mode(run('listeners'))]).toEqual([
      '660',
      '666',
      '755',
    ]);
    expect(mode(run('certificates').replace('certificates', 'haproxy.cfg'))).toBe('600');
    const { stdout } = await at.run('listener show open --json');
    expect(JSON.parse(stdout)).toMatchObject({
      Address: { Address: `${SOCKETS}/open.sock` },
      SocketMode: '0666',
    });
    await at.run('listener rm open');
    await at.settled();
    await eventually('the socket is gone', async () => !existsSync(path('open.sock')));
  });

  test.each(['/etc/passwd', '/run/cluster-gateway/listeners/../x', `${SOCKETS}/a/b`, '../x'])(
    '%s is refused',
    async (addr) => {
      const before = (await at.run('listener ls --json')).stdout;
      const refused = at.run('listener upsert --id bad --net unix --addr', addr);
      await expect(refused).rejects.toMatchObject({
        actual: [1, expect.stringContaining('is not a name for a socket in /run/cluster-gateway/listeners')],
      });
      expect((await at.run('listener ls --json')).stdout).toBe(before);
    },
  );

  test('what stands there already is left alone', async () => {
    const path = run('listeners/file.sock');
    writeFileSync(path, 'mine');
    await symlink('/etc/passwd', run('listeners/link.sock'));
    await at
      .all(
        ['listener upsert --id file --net unix --addr file.sock'],
        ['listener upsert --id link --net unix --addr link.sock'],
      )
      .catch(() => undefined);
    await eventually('both are left out', async () => {
      const told = (await at.status()).leftOut
        .map(({ object, message }) => `${object} ${message}`)
        .join('\n');
      return /file\.sock: exists/.test(told) && /link\.sock: exists/.test(told);
    });
    expect(readFileSync(path, 'utf8')).toBe('mine');
    expect(await via(run('listeners/web.sock'))).toBe(404);
    await at.run('listener rm file');
    await at.run('listener rm link');
    await at.settled();
  });
});

test('workers that only finish connections are shown, and bounded in number', async () => {
  await at.run('cbreaker rm -f app -id cb');
  await at.settled();
  const sockets = [];
  for (let n = 0; n < 4; n++) {
    const one = upgraded(at.listen, 'app.test');
    sockets.push(one);
    await eventually('it is upgraded', async () => one.heard().includes('up:'));
    await at.run('backend upsert --id', `another${n}`);
    await at.settled();
  }
  await eventually('two are left', async () => (await at.status()).proxy.draining?.length === 2);
  const { stdout } = await at.run('gateway status');
  expect(stdout).toMatch(/2 HAProxy workers finish connections from before a reload, the oldest since/);
  for (const { socket } of sockets) socket.destroy();
  await eventually('none is left', async () => (await at.status()).proxy.draining?.length === 0, 20_000);
});
