import { createSocket } from 'node:dgram';
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { translate } from '../../../src/lib/gateway/haproxy/translate/translate.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/port.ts';
import {
  ask,
  ensureHaproxy,
  optionsFor,
  type RunningHaproxy,
  runHaproxy,
  stateOf,
} from './support/haproxy-run.ts';

/** A small DNS server: every question for an A record is answered with `address`, or with `code` where that is null. */
class Dns {
  address: string | null = null;
  /** 2 = SERVFAIL, 3 = NXDOMAIN; null = no answer at all. */
  code: number | null = 3;
  asked = 0;
  readonly #socket = createSocket('udp4');

  async start(): Promise<number> {
    this.#socket.on('message', (question, from) => {
      this.asked++;
      const reply = this.#reply(question);
      if (reply !== null) this.#socket.send(reply, from.port, from.address);
    });
    await new Promise<void>((resolve) => this.#socket.bind(0, '127.0.0.1', resolve));
    return this.#socket.address().port;
  }

  stop(): void {
    this.#socket.close();
  }

  #reply(question: Buffer): Buffer | null {
    let end = 12;
    while (question[end] !== 0) end += (question[end] ?? 0) + 1;
    const type = question.readUInt16BE(end + 1);
    const asked = question.subarray(12, end + 5);
    const found = this.address !== null && type === 1;
    if (!found && this.address === null && this.code === null) return null;
    const header = Buffer.alloc(12);
    question.copy(header, 0, 0, 2);
    header.writeUInt16BE(0x8180 | (this.address === null ? (this.code ?? 0) : 0), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(found ? 1 : 0, 6);
    const record = Buffer.from([
      0xc0,
      12,
      0,
      1,
      0,
      1,
      0,
      0,
      0,
      1,
      0,
      4,
      ...(this.address ?? '0').split('.').map(Number),
    ]);
    return Buffer.concat([header, asked, ...(found ? [record] : [])]);
  }
}

const ADDRESSES = ['127.0.0.11', '127.0.0.12'] as const;
const dns = new Dns();
const servers: Server[] = [];
let port = 0;
let running: RunningHaproxy;

beforeAll(async () => {
  ensureHaproxy();
  port = await freePort();
  const behind = await freePort();
  for (const address of ADDRESSES) {
    const server = createServer((_request, response) => response.end(address));
    await new Promise<void>((resolve) => server.listen(behind, address, resolve));
    servers.push(server);
  }
  const asksAt = await dns.start();
  dns.address = ADDRESSES[0];
  const state = stateOf({
    'backends/b/backend': { Type: 'http' },
    'backends/b/servers/s': { URL: `http://moving.service.invalid:${behind}` },
    'frontends/f/frontend': { Type: 'http', BackendId: 'b', Route: 'Path("/")', Settings: {} },
  });
  running = await runHaproxy((directory) => {
    const serving = translate(state, optionsFor(`127.0.0.1:${port}`, directory));
    // The computer's own name servers know nothing of this name.
    const structure = serving.structure.replace('parse-resolv-conf', `nameserver own 127.0.0.1:${asksAt}`);
    return { ...serving, structure };
  });
});
afterAll(async () => {
  await running.stop();
  dns.stop();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

const body = async () => (await ask(port, { fresh: true })).body;

test('a server named by host name follows its address within 10 s', async () => {
  await eventually('it is found', async () => (await body()) === ADDRESSES[0], 10_000);
  dns.address = ADDRESSES[1];
  await eventually('it has moved', async () => (await body()) === ADDRESSES[1], 10_000);
  dns.address = ADDRESSES[0];
  await eventually('it has moved back', async () => (await body()) === ADDRESSES[0], 10_000);
}, 40_000);

test.each([
  ['says that there is no such name', 3],
  ['fails', 2],
  ['does not answer', null],
] as const)(
  'keeps its address while DNS %s, and follows again',
  async (_how, code) => {
    const [before, after] = [await body(), ADDRESSES.find((address) => address !== dns.address)];
    await ask(port, { fresh: true });
    dns.code = code;
    dns.address = null;
    const asked = dns.asked;
    await eventually('it was asked in vain', () => dns.asked >= asked + 4, 20_000);
    expect(await body()).toBe(before);
    dns.address = after ?? null;
    await eventually('it follows again', async () => (await body()) === after, 10_000);
  },
  40_000,
);
