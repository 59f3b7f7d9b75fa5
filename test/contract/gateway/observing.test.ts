import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { listening } from '../../support/port.ts';
import { frontend, listen, served, status, withGateway, write } from './support/gateway.ts';
import { get } from './support/process.ts';

withGateway();

test('a circuit breaker trips on what HAProxy logs, gives its fallback, calls its webhook, and stands by again', async () => {
  const calls: string[] = [];
  const hooks = createServer((request, response) => {
    calls.push(`${request.method} ${request.url}`);
    response.end();
  });
  const port = await listening(hooks);
  const hook = (path: string) => ({
    Type: 'webhook',
    Action: { URL: `http://127.0.0.1:${port}/${path}`, Method: 'POST', Headers: {}, Form: { a: ['b'] } },
  });
  await served(
    await write({
      'frontends/breaking/frontend': frontend('A', 'Host("breaking")'),
      'frontends/breaking/middlewares/cb': {
        Id: 'cb',
        Priority: 1,
        Type: 'cbreaker',
        Middleware: {
          Condition: 'ResponseCodeRatio(500, 600, 0, 600) > 0.5',
          Fallback: { Type: 'response', Action: { StatusCode: 400, Body: 'come later' } },
          FallbackDuration: 400e6,
          RecoveryDuration: 300e6,
          CheckPeriod: 20e6,
          OnTripped: hook('tripped'),
          OnStandby: hook('standby'),
        },
      },
    }),
  );
  for (let n = 0; n < 5; n++) expect((await get(listen, 'breaking', '/?status=500')).status).toBe(500);
  await eventually('tripped', async () => (await get(listen, 'breaking')).status === 400);
  expect((await get(listen, 'breaking')).body).toBe('come later');
  expect((await status()).breakers).toEqual([{ frontend: 'breaking', middleware: 'cb', state: 'tripped' }]);
  expect((await get(listen, 'x')).status).toBe(200);
  await eventually('stands by', async () => (await status()).breakers[0]?.state === 'standby');
  await eventually('served again', async () => (await get(listen, 'breaking')).status === 200);
  await eventually('webhooks', () => calls.length === 2);
  expect(calls).toEqual(['POST /tripped', 'POST /standby']);
  hooks.close();
});

test('a trace sends each request as vulcand does', async () => {
  const syslog = createSocket('udp4');
  const lines: string[] = [];
  syslog.on('message', (line) => void lines.push(line.toString()));
  await new Promise<void>((resolve) => syslog.bind(0, '127.0.0.1', resolve));
  await served(
    await write({
      'frontends/traced/frontend': frontend('A', 'Host("traced")'),
      'frontends/traced/middlewares/t': {
        Id: 't',
        Priority: 1,
        Type: 'trace',
        Middleware: {
          ReqHeaders: ['Host', 'X-None'],
          RespHeaders: ['Content-Length'],
          Addr: `syslog://127.0.0.1:${syslog.address().port}?f=MAIL&sev=ERR`,
        },
      },
    }),
  );
  await get(listen, 'traced', '/p?q="1');
  await eventually('traced', () => lines.length > 0);
  expect(lines[0]).toMatch(/^<19>/);
  expect(JSON.parse(lines[0]?.replace(/^.*@cee: /, '') ?? '')).toMatchObject({
    request: { method: 'GET', url: '/p?q="1', headers: { Host: ['traced'] } },
    response: { code: 200, headers: { 'Content-Length': ['1'] } },
  });
  syslog.close();
});
