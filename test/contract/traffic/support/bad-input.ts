import { connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Ran, type Workplace, workplace } from '../../../support/cli.ts';
import { type EtcdServer, startEtcd } from '../../../support/etcd-server.ts';
import { keyFiles } from '../../../support/key-files.ts';
import { listening } from '../../../support/port.ts';

export let etcd: EtcdServer;
export let at: Workplace;

/** Everything in etcd, with revisions and leases. */
export const keys = (): unknown => JSON.parse(etcd.etcdctl('get', '--prefix', '', '--write-out=json')).kvs;
export const put = (key: string, value: string) => etcd.etcdctl('put', '--', key, value);

export async function ok(...args: string[]): Promise<string> {
  const ran = await at.run(...args);
  expect(ran, args.join(' ')).toMatchObject({ code: 0, stderr: '' });
  return ran.stdout;
}

/** An etcd and objects that bad input could harm, for the tests of one file. */
export function withObjects(): void {
  beforeAll(async () => {
    etcd = await startEtcd();
    at = await workplace({ CLUSTER_ENDPOINT: etcd.endpoint });
    for (const name of ['a', 'b']) keyFiles(at.dir, name);
    const shell = ODD;
    for (const id of [
      'app-v1.0',
      'app-v2.0',
      'app-v3.0',
      'two-v2.0',
      'shop-v1',
      'shop-v2',
      `odd${shell}-v1`,
      `odd${shell}-v2`,
    ])
      await ok('backend', 'upsert', '-id', id);
    for (const backend of ['app-v1.0', 'app-v2.0', 'shop-v1', 'shop-v2'])
      await ok('server', 'upsert', '-b', backend, '-id', 's1', '-url', 'http://127.0.0.1:9001');
    for (const [id, backend] of [
      ['f1', 'app-v1.0'],
      ['shop.a', 'shop-v1'],
      ['shop.b', 'shop-v1'],
      [`x${shell}`, `odd${shell}-v1`],
      [`y${shell}`, `odd${shell}-v1`],
    ] as const)
      await ok(
        'frontend',
        'upsert',
        '-id',
        id,
        '-b',
        backend,
        '-route',
        `Host("${id.length}${id[0]}${id.at(-1)?.codePointAt(0)}")`,
      );
    await ok('ratelimit', 'upsert', '-f', 'f1', '-id', 'limit');
    await ok('backend', 'upsert', '-id', 'APP-v1.0');
  });

  afterAll(async () => {
    await at.remove();
    await etcd.stop();
  });
}

/** What a shell would make something of. */
export const ODD = "$(touch gone);`id`'";
export const KEY = 'ab'.repeat(32);
export const OK_FALLBACK = '{"Type":"response","Action":{"StatusCode":503,"Body":"later"}}';
export const words = (line: string): string[] => line.split(' ');
export const frontend = (...more: string[]) => [
  'frontend',
  'upsert',
  '-id',
  'new',
  '-b',
  'app-v1.0',
  ...more,
];
export const routed = (route: string) => frontend('-route', route);
export const named = (id: string) => [
  'frontend',
  'upsert',
  '-id',
  id,
  '-b',
  'app-v1.0',
  '-route',
  'Path("/x")',
];
export const url = (text: string) => ['server', 'upsert', '-b', 'app-v1.0', '-id', 's2', '-url', text];
export const ttl = (text: string) => [...url('http://a:80'), '-ttl', text];
export const listener = (...more: string[]) => ['listener', 'upsert', '-id', 'l', ...more];
export const addr = (text: string) => listener('-addr', text);
export const pair = (key: string, cert: string, seal: string) => [
  ...['host', 'upsert', '-name', 'a.test', '-privateKey', key],
  ...['-cert', cert, '-sealKey', seal],
];
export const limit = (...more: string[]) => ['ratelimit', 'upsert', '-f', 'f1', '-id', 'r', ...more];
export const rewrite = (...more: string[]) => ['rewrite', 'upsert', '-f', 'f1', '-id', 'w', ...more];
export const trace = (text: string) => ['trace', 'upsert', '-f', 'f1', '-id', 't', '-addr', text];
export const breaker = (condition: string, fallback: string, ...more: string[]) => [
  ...['cbreaker', 'upsert', '-f', 'f1', '-id', 'cb', '-condition', condition],
  ...['-fallback', fallback, ...more],
];
export const trips = (fallback: string, ...more: string[]) =>
  breaker('NetworkErrorRatio() > 0.5', fallback, ...more);

export type Row = [what: string, args: string[], code: number, said: RegExp];

/** One line of what is wrong, one of what to try, and nothing that a terminal would obey. */
export function expectRefused(ran: Ran, code: number, said: RegExp): void {
  expect(ran.stderr).toMatch(said);
  expect(ran.stderr).toMatch(/^Error: [^\p{Cc}]+\n {2}try: [^\p{Cc}]+\n$/u);
  expect(ran).toMatchObject({ code, stdout: '' });
}

/** A test for each row: it is refused so, and nothing in the registry has changed. */
export function refuses(rows: readonly Row[]): void {
  describe.concurrent('bad input on etcd', () => {
    const before = { value: undefined as unknown };
    test.each([...rows])('%s', async (_, args, code, said) => {
      before.value ??= keys();
      expectRefused(await at.run(...args), code, said);
      expect(keys()).toEqual(before.value);
    });
  });
}

/** Lets a command's connections to etcd through until an answer names `marker`; then nothing passes until `resume`. */
export async function gate(marker: string) {
  const sockets: Socket[] = [];
  let reached: () => void = () => undefined;
  let held = false;
  const seen = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const server = createServer((client) => {
    const upstream = connect(etcd.port, '127.0.0.1');
    sockets.push(client, upstream);
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    let heard = '';
    upstream.on('data', (part) => {
      client.write(part);
      heard = heard.slice(-marker.length) + part.toString('latin1');
      if (held || !heard.includes(marker)) return;
      held = true;
      for (const socket of sockets) socket.pause();
      reached();
    });
    client.on('data', (part) => upstream.write(part));
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  const port = await listening(server);
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return {
    env: { CLUSTER_ENDPOINT: `http://127.0.0.1:${port}` },
    seen,
    resume: () => {
      for (const socket of sockets) socket.resume();
    },
    close,
  };
}
