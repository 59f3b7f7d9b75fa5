import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Ran } from '../../support/cli.ts';
import { eventually } from '../../support/eventually.ts';
import { type KeyFiles, keyFiles } from '../../support/key-files.ts';
import { freePort } from '../../support/port.ts';
import { type Site, type SmallServer, site, smallServer } from './support/features.ts';
import { type Answer, get } from './support/process.ts';

let at: Site;
let tls: number;
let sealKey: string;
let plain: SmallServer;
let keys: Record<'a' | 'main' | 'renewed' | 'localhost', KeyFiles>;

/** Name in the certificate that is shown to a client that asks for `servername`, its print, and the protocol. */
function shake(
  servername: string,
): Promise<{ name: string; print: string; protocol: string | false | null }> {
  return new Promise((resolve, reject) => {
    const options = { port: tls, host: '127.0.0.1', servername, rejectUnauthorized: false };
    const socket = connectTls({ ...options, ALPNProtocols: ['h2', 'http/1.1'] }, () => {
      const { subject, fingerprint256 } = socket.getPeerCertificate();
      resolve({ name: String(subject.CN), print: fingerprint256, protocol: socket.alpnProtocol });
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

/** One request over TLS. */
function getTls(host: string, agent?: Agent): Promise<Answer> {
  return new Promise((resolve) => {
    const options = { port: tls, host: '127.0.0.1', servername: host, headers: { host } };
    const asked = request({ ...options, agent: agent ?? false, rejectUnauthorized: false }, (response) => {
      let body = '';
      response.on('data', (part) => (body += part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    asked.on('error', (error) => resolve({ status: 0, body: error.message }));
    asked.end();
  });
}

/** Clients on connections that stay open, until told to end. @returns what was no 200. */
function load(host: string, clients: number) {
  const agent = new Agent({ keepAlive: true });
  const failed: string[] = [];
  let [going, total] = [true, 0];
  const running = Array.from({ length: clients }, async () => {
    while (going) {
      const { status, body } = await getTls(host, agent);
      total++;
      if (status !== 200) failed.push(`${status} ${body}`);
      await sleep(3);
    }
  });
  return {
    total: () => total,
    end: async () => {
      going = false;
      await Promise.all(running);
      agent.destroy();
      return failed;
    },
  };
}

const host = (name: string, { key, cert }: KeyFiles, more = ''): Promise<Ran> =>
  at.run(`host upsert --name ${name} --private-key ${key} --cert ${cert} --seal-key ${sealKey}${more}`);
const leftOut = async () =>
  (await at.status()).leftOut.map(({ object, message }) => `${object}: ${message}`).join('\n');

beforeAll(async () => {
  at = await site('embedded');
  tls = await freePort();
  plain = await smallServer(({ headers }, response) => response.end(JSON.stringify(headers)));
  keys = {
    a: keyFiles(at.dir, 'a.test'),
    main: keyFiles(at.dir, 'main.test'),
    renewed: keyFiles(at.dir, 'a.test', 'renewed'),
    localhost: keyFiles(at.dir, 'localhost'),
  };
  await at.run('secret new_key -f', join(at.dir, 'seal.key'));
  sealKey = readFileSync(join(at.dir, 'seal.key'), 'utf8').trim();
  await at.run('backend upsert -id b');
  await at.run(`server upsert -b b -id s -url ${plain.url}`);
  await at.run('frontend upsert -id f -b b -route PathRegexp(".*")');
  await host('a.test', keys.a);
  await host('main.test', keys.main, ' --default');
  await at.run(`listener upsert --id secure --proto https --addr 127.0.0.1:${tls}`);
  await at.run(`listener upsert --id open --proto http --addr 127.0.0.1:${at.listen}`);
});

afterAll(async () => {
  await at.close();
  plain.close();
});

test('without its seal key, or with another, a gateway serves all but TLS and says so', async () => {
  const gateway = await at.start();
  expect((await get(at.listen, 'x')).status).toBe(200);
  expect(await leftOut()).toBe(
    [
      'host main.test: its key pair: is sealed, and this gateway has no seal key (--seal-key)',
      'host a.test: its key pair: is sealed, and this gateway has no seal key (--seal-key)',
      'listener secure: no host has a key pair, so it cannot speak TLS',
    ].join('\n'),
  );
  const shown = await at.run('gateway status');
  expect(shown.stdout).toMatch(/serving[\s\S]*left out: host a.test: .*no seal key \(--seal-key\)/);
  expect(gateway.log().split('host a.test').length).toBe(2);
  await at.end();
  await at.start('--seal-key', '0'.repeat(64));
  expect((await get(at.listen, 'x')).status).toBe(200);
  expect(await leftOut()).toContain('host a.test: its key pair: the sealed key pair cannot be opened');
  await at.end();
});

test('certificates by SNI, the default for others, HTTP/2, and servers hear of TLS', async () => {
  await at.start('--seal-key', sealKey);
  expect(await leftOut()).toBe('');
  const shown = await Promise.all(['a.test', 'main.test', 'other.test'].map(shake));
  expect(shown.map(({ name, protocol }) => [name, protocol])).toEqual([
    ['a.test', 'h2'],
    ['main.test', 'h2'],
    ['main.test', 'h2'],
  ]);
  const { status, body } = await getTls('a.test');
  expect(status).toBe(200);
  expect(JSON.parse(body)).toMatchObject({
    'x-forwarded-proto': 'https',
    'x-forwarded-port': '443',
    'x-forwarded-host': 'a.test',
  });
  const session = connectHttp2(`https://127.0.0.1:${tls}`, {
    servername: 'a.test',
    rejectUnauthorized: false,
  });
  const answered = await new Promise<string>((resolve, reject) => {
    const stream = session.request({ ':path': '/over/h2', ':authority': 'a.test' });
    let text = '';
    stream.on('response', (headers) => (text += `${headers[':status']} `));
    stream.on('data', (part) => (text += part));
    stream.on('end', () => resolve(text));
    stream.on('error', reject);
    session.on('error', reject);
  });
  session.close();
  expect(answered).toMatch(/^200 .*"host":"a.test"/);
});

test('a WebSocket over HTTP/2, which begins with CONNECT there', async () => {
  plain.server.on('upgrade', ({ headers }, socket) => {
    const key = `${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n');
    socket.end(`Sec-WebSocket-Accept: ${accept}\r\n\r\nhello`);
  });
  const session = connectHttp2(`https://127.0.0.1:${tls}`, {
    servername: 'a.test',
    rejectUnauthorized: false,
  });
  await new Promise((resolve) => session.once('remoteSettings', resolve));
  const told = await new Promise<string>((resolve, reject) => {
    const stream = session.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':path': '/',
      ':authority': 'a.test',
      'sec-websocket-version': '13',
    });
    let text = '';
    stream.on('response', (headers) => (text += `${headers[':status']} `));
    stream.on('data', (part) => (text += part));
    stream.on('end', () => resolve(text));
    stream.on('error', reject);
    session.on('error', reject);
  });
  session.close();
  expect(told).toBe('200 hello');
});

test('a changed certificate is served without a dropped request; a host that goes leaves the default one', async () => {
  const going = load('a.test', 6);
  const before = await shake('a.test');
  await host('a.test', keys.renewed);
  await eventually('the new one', async () => (await shake('a.test')).print !== before.print, 10_000);
  const seen = going.total();
  await eventually('load on it', () => going.total() > seen + 50, 10_000);
  expect(await going.end()).toEqual([]);
  expect((await shake('main.test')).name).toBe('main.test');
  await at.run('host rm a.test');
  await eventually('gone', async () => (await shake('a.test')).name === 'main.test', 10_000);
});

test('servers that speak TLS: believed only by a known authority, unless the backend says otherwise', async () => {
  const secure = await smallServer((_, response) => response.end('secure'), keys.localhost.pem);
  await at.run('backend upsert -id sure');
  await at.run('backend upsert -id any --tls-skip-verify');
  for (const name of ['sure', 'any']) {
    await at.run(`server upsert -b ${name} -id s -url ${secure.url}`);
    await at.run(`frontend upsert -id ${name} -b ${name} -route Path("/${name}")`);
  }
  expect(await get(at.listen, 'x', '/any')).toEqual({ status: 200, body: 'secure' });
  expect(await get(at.listen, 'x', '/sure')).toEqual({ status: 502, body: '{"error":"bad gateway"}' });
  expect(secure.requests).toBe(1);
  const { servers } = JSON.parse((await at.run('gateway top --refresh 0 --json')).stdout);
  const failures = (backend: string) =>
    servers.find((row: { backend: string }) => row.backend === backend).networkErrors;
  expect([failures('sure'), failures('any')]).toEqual([1, 0]);

  secure.close();
});
