import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callWebhook } from '../../../src/lib/gateway/requests/webhook.ts';
import { Reporter } from '../../../src/lib/keep/index.ts';
import type { Webhook } from '../../../src/lib/traffic/index.ts';
import { eventually } from '../../support/eventually.ts';

let server: Server;
let at: string;
const asked: string[] = [];
let sent = 0;

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (request.url === '/moved') response.writeHead(307, { location: '/secret' }).end();
    else if (request.url === '/endless') {
      const chunk = Buffer.alloc(16 * 1024);
      const more = (): void => {
        while (!response.destroyed) {
          sent += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
      };
      more();
    } else if (request.url !== '/silent') response.end('ok');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

function call(url: string): string[] {
  const lines: string[] = [];
  const hook = { Type: 'webhook', Action: { URL: url, Method: 'POST', Headers: {}, Form: {}, Body: 'x' } };
  callWebhook(hook as unknown as Webhook, new Reporter('debug', (line) => lines.push(line)));
  return lines;
}

async function said(url: string): Promise<string> {
  const lines = call(url);
  await eventually('a line', () => lines.length === 1);
  return lines[0] ?? '';
}

test('is called once, and its answer is logged', async () => {
  expect(await said(`${at}/ok`)).toBe(`debug: webhook ${at}/ok: 200`);
  expect(asked).toEqual(['POST /ok']);
});

test('a redirect is not followed', async () => {
  expect(await said(`${at}/moved`)).toMatch(/answered 307; redirects are not followed/);
  expect(asked.filter((line) => line.includes('secret'))).toEqual([]);
});

test.each(['file:///etc/passwd', 'data:text/plain,x', 'ftp://127.0.0.1/'])(
  '%s is not called',
  async (url) => {
    expect(await said(url)).toMatch(/only http and https are called/);
  },
);

test('an answer without an end is cut', async () => {
  expect(await said(`${at}/endless`)).toMatch(/200/);
  expect(sent).toBeLessThan(64 * 1024 * 1024);
});

test('calls that nobody answers do not pile up, and end', { timeout: 20_000 }, async () => {
  const before = asked.length;
  const lines = Array.from({ length: 40 }, () => call(`${at}/silent`));
  expect(lines.flat().filter((line) => line.includes('not called, 32 calls'))).toHaveLength(8);
  await eventually('all calls end', () => lines.flat().length === 40, 12_000);
  expect(asked.length - before).toBeLessThanOrEqual(32);
  expect(await said(`${at}/ok`)).toMatch(/200/);
});
