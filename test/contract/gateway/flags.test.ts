import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { listening } from '../../support/port.ts';
import { type Site, type SmallServer, site, smallServer } from './support/features.ts';
import { get } from './support/process.ts';

let at: Site;
let server: SmallServer;
let other: Server;
let taken: number;

beforeAll(async () => {
  at = await site('embedded');
  server = await smallServer((_, response) => response.end('served'));
  other = createServer();
  taken = await listening(other);
  await at.run('backend upsert -id b');
  await at.run(`server upsert -b b -id s -url ${server.url}`);
  await at.run('frontend upsert -id f -b b -route Path("/") --no-wait');
});

afterAll(async () => {
  await at.close();
  server.close();
  other.close();
});

/** What a gateway with these flags says that does not start. */
async function refused(...flags: string[]): Promise<{ code: number | null; said: string[] }> {
  const { ended, log } = at.spawn(...flags);
  const code = await ended;
  return { code, said: log().trimEnd().split('\n') };
}

test.each([
  ['nonsense', 'nonsense has no port from 1 to 65535'],
  ['127.0.0.1:99999', '127.0.0.1:99999 has no port from 1 to 65535'],
  ['some.name:80', 'some.name is not an IP address'],
])('--listen %s', async (address, why) => {
  expect(await refused('--listen', address)).toEqual({
    code: 1,
    said: [`Error: --listen "${address}": ${why}`, '  try: such as --listen :80 or --listen 127.0.0.1:8080'],
  });
});

test('a port that another process has', async () => {
  const { code, said } = await refused('--listen', `127.0.0.1:${taken}`);
  expect([code, said.length]).toEqual([1, 2]);
  expect(said[0]).toMatch(/^Error: HAProxy does not start, .*Address already in use.* \[127\.0\.0\.1:\d+\]$/);
  expect(said[1]).toMatch(/^ {2}try: ss -ltnp/);
});

test.each([
  ['no/such/haproxy', 'ENOENT'],
  ['', 'EACCES'],
])('--haproxy %s', async (name, why) => {
  const program = join(at.dir, name);
  expect(await refused('--haproxy', program)).toEqual({
    code: 1,
    said: [
      `Error: cannot run ${program}: ${why}`,
      '  try: apt-get install haproxy, or name it with --haproxy',
    ],
  });
});

test('--run-dir where nothing can be written', async () => {
  await writeFile(join(at.dir, 'file'), '');
  for (const directory of [join(at.dir, 'file', 'run'), join(at.dir, 'x'.repeat(100))]) {
    const { code, said } = await refused('--run-dir', directory);
    expect([code, said.length], directory).toEqual([1, 2]);
    expect(said[0]).toContain(`Error: cannot use the run directory ${directory}: `);
    expect(said[1]).toContain('--run-dir names another one');
  }
});

test('--admin that is none', async () => {
  const { code, said } = await refused('--admin', 'nonsense');
  expect([code, said[0]]).toEqual([1, `Error: 'nonsense' is not HOST:PORT`]);
});

test('a state directory that cannot be written keeps nothing from being served', async () => {
  const gateway = await at.start('--state-dir', join(at.dir, 'file', 'state'));
  expect((await get(at.listen, 'x')).body).toBe('served');
  await eventually('it says so', () => gateway.log().includes('warning: cannot save the state: '));
  await at.end();
});

test('a listener whose address is taken when the gateway starts is held back alone, until it is free', async () => {
  await at.run(`listener upsert --id good --addr 127.0.0.1:${at.listen}`);
  await at.run(`listener upsert --id taken --addr 127.0.0.1:${taken}`);
  await at.start();
  expect((await get(at.listen, 'x')).body).toBe('served');
  const shown = (await at.run('gateway status')).stdout;
  expect(shown).toMatch(/left out: listeners\/taken: .*in ?use/i);
  await new Promise((resolve) => other.close(resolve));
  await eventually('it listens there too', async () => (await get(taken, 'x')).body === 'served', 15_000);
  expect((await at.status()).leftOut).toEqual([]);
});
