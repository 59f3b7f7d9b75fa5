import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { expect } from 'vitest';
import { writeImages } from '../../examples/demo-application/image.mjs';
import { quote } from '../../src/lib/shell-words.ts';
import { ENTRY, type Workplace } from '../support/cli.ts';
import { machinesOf, real, withRealLab } from '../support/real.ts';

const NAME = 'demoapp';
const MACHINE = `${NAME}-1`;
const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples');
let at: Workplace;
let address = '';

const on = async (...command: string[]): Promise<string> =>
  (await at.ok('ssh', MACHINE, '--', quote(command))).stdout.trim();

/** `cluster ssh MACHINE -- COMMAND < FILE`: what it printed. */
async function feed(file: string, ...command: string[]): Promise<string> {
  const child = spawn(process.execPath, [ENTRY, 'ssh', MACHINE, '--', quote(command)], {
    env: at.env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [, said, [code]] = await Promise.all([
    pipeline(createReadStream(file), child.stdin),
    text(child.stdout),
    once(child, 'exit'),
  ]);
  expect(code).toBe(0);
  return said;
}

/** Where the container of a unit answers, once it does. */
async function door(container: string): Promise<string> {
  let url = '';
  const status = async (): Promise<number> => {
    const { stdout } = await at.run('ssh', MACHINE, '--', 'docker', 'port', container, '8080/tcp');
    url = `http://${address}:${/0\.0\.0\.0:(\d+)/.exec(stdout)?.[1]}`;
    return fetch(url).then((answer) => answer.status);
  };
  await expect.poll(() => status().catch(String), { timeout: 30_000, interval: 200 }).toBe(200);
  return url;
}

withRealLab(NAME, ['--machines', '1', '--docker'], async (made) => {
  at = made;
  address = (await machinesOf(at, NAME))[0]?.address ?? '';
  await writeImages(join(at.dir, 'images.tar'), ['0.1.0', '0.2.0']);
});

real('one file makes the images of both versions, which share their layer', async () => {
  const loaded = await feed(join(at.dir, 'images.tar'), 'docker', 'load');
  expect(loaded).toMatch(/:0\.1\.0\n.*:0\.2\.0\n/);
  const layers = await on(
    ...['docker', 'inspect', '-f', '{{.RootFS.Layers}}', 'demo-application:0.1.0', 'demo-application:0.2.0'],
  );
  const [one, two] = layers.split('\n');
  expect(one).toBe(two);
});

real('packed again it is the same file', async () => {
  const again = join(at.dir, 'again.tar');
  await writeImages(again, ['0.1.0', '0.2.0']);
  expect((await readFile(again)).equals(await readFile(join(at.dir, 'images.tar')))).toBe(true);
});

real('both versions run side by side, each on a port of its own', async () => {
  const units = ['0.1.0', '0.2.0'].map((version) =>
    join(EXAMPLES, 'demo-application', `demo-application-v${version}@1.service`),
  );
  await at.ok('start', ...units);
  for (const version of ['0.1.0', '0.2.0']) {
    const answer = await fetch(await door(`demo-application-v${version}-1`));
    const id = await on('docker', 'inspect', '-f', '{{.Id}}', `demo-application-v${version}-1`);
    expect(answer.headers.get('x-version')).toBe(version);
    expect(answer.headers.get('x-container')).toBe(id.slice(0, 12));
  }
});

real('what a registrator reads is in the environment of the container', async () => {
  const env = await on('docker', 'inspect', '-f', '{{json .Config.Env}}', 'demo-application-v0.2.0-1');
  expect((JSON.parse(env) as string[]).filter((pair) => pair.startsWith('SERVICE_')).sort()).toEqual([
    'SERVICE_CHECK_HTTP=/health',
    'SERVICE_CHECK_INTERVAL=3s',
    'SERVICE_FRONTEND_HOST_CONTAINER=instance-1.demo-application-v0.2.0.example.test',
    'SERVICE_FRONTEND_HOST_LOAD_BALANCER=demo-application-v0.2.0.example.test',
    'SERVICE_ID=demo-application-v0.2.0@1',
    'SERVICE_NAME=demo-application-v0.2.0',
  ]);
});

real('a container is made sick from outside, its neighbour stays well', async () => {
  const [sick, well] = [await door('demo-application-v0.1.0-1'), await door('demo-application-v0.2.0-1')];
  await fetch(`${sick}/api/health`, { method: 'POST', body: '{"health":false}' });
  expect((await fetch(`${sick}/health`)).status).toBe(500);
  expect((await fetch(`${well}/health`)).status).toBe(200);
});

real('a second instance of a version has no place on the same machine', async () => {
  const unit = join(EXAMPLES, 'demo-application', 'demo-application-v0.1.0@2.service');
  const ran = await at.run('start', unit);
  expect(ran.code).not.toBe(0);
  expect(ran.stderr).toContain('demo-application-v0.1.0@1.service');
  await at.run('destroy', 'demo-application-v0.1.0@2.service');
});

real('a container that is killed comes back', async () => {
  await on('docker', 'kill', 'demo-application-v0.2.0-1');
  await door('demo-application-v0.2.0-1');
});

real('a stop lets a slow request end, and leaves no container', async () => {
  const slow = fetch(`${await door('demo-application-v0.2.0-1')}/slow?ms=3000`);
  // The request must have arrived before the stop does.
  await new Promise((resolve) => setTimeout(resolve, 300));
  await at.ok('stop', 'demo-application-v0.1.0@1', 'demo-application-v0.2.0@1');
  expect((await slow).status).toBe(200);
  expect(await on('docker', 'ps', '-aq')).toBe('');
  const rows = JSON.parse((await at.ok('list-units', '--json')).stdout) as { active: string; sub: string }[];
  // Not failed: a container that is stopped ends with 0.
  expect(rows.map(({ active, sub }) => `${active} ${sub}`)).toEqual(['inactive dead', 'inactive dead']);
});

const KEY = '/vulcand/backends/web/servers/web-1';
const announced = (): Promise<string> =>
  on('env', 'ETCDCTL_API=3', 'etcdctl', 'get', '--print-value-only', KEY);

/** The unit file of an example with HAProxy in the place of Python, which a lab machine has not. */
async function announcer(name: string): Promise<void> {
  const file = await readFile(join(EXAMPLES, 'announce', name), 'utf8');
  const web = '/usr/sbin/haproxy -db -f /root/web.cfg';
  await at.file(name, file.replace(/^ExecStart=.*python3.*$/m, `ExecStart=${web}`));
}

real('a service announces itself in etcd while it runs', async () => {
  const config =
    'defaults\n  mode http\n  timeout client 9s\nfrontend web\n  bind :8081\n  http-request return status 200\n';
  await feed(await at.file('web.cfg', config), 'tee', '/root/web.cfg');
  await on('systemd-run', '--unit=etcd-here', '/usr/bin/etcd', '--data-dir=/root/etcd');
  await announcer('web-self-etcdctl@.service');
  await at.ok('start', 'web-self-etcdctl@1.service');
  expect(JSON.parse(await announced())).toEqual({ Id: 'web-1', URL: `http://${address}:8081` });
  await at.ok('stop', 'web-self-etcdctl@1.service');
  expect(await announced()).toBe('');
  await at.ok('destroy', 'web-self-etcdctl@1.service');
});

real('a sidekick announces its leader on a lease, and follows it down and up', async () => {
  await announcer('web@.service');
  await announcer('web-announce-etcdctl@.service');
  await at.ok('start', 'web@1.service', 'web-announce-etcdctl@1.service');
  await expect.poll(announced, { timeout: 20_000 }).not.toBe('');
  expect(JSON.parse(await announced())).toEqual({ Id: 'web-1', URL: `http://${address}:8081` });
  const json = await on('env', 'ETCDCTL_API=3', 'etcdctl', 'get', '-w', 'json', KEY);
  expect(JSON.parse(json)).toMatchObject({ kvs: [{ lease: expect.any(Number) }] });
  // systemd alone, no `cluster`: the sidekick follows its leader down and up again.
  await on('systemctl', 'stop', 'web@1.service');
  expect(await announced()).toBe('');
  await on('systemctl', 'start', 'web@1.service');
  await expect.poll(announced, { timeout: 20_000 }).not.toBe('');
  await at.ok('destroy', 'web-announce-etcdctl@1.service', 'web@1.service');
  expect(await announced()).toBe('');
});
