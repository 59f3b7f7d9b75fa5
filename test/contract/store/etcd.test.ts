import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openEtcd } from '../../../src/lib/store/etcd.ts';
import { firstToAnswer } from '../../../src/lib/store/first.ts';
import { startEtcd } from '../../support/etcd-server.ts';
import { freePort, listening } from '../../support/port.ts';
import { storeContract } from './store.contract.ts';

storeContract('etcd', async () => {
  const server = await startEtcd();
  const another = () => openEtcd({ endpoints: [server.endpoint], timeoutMs: 5000 });
  const store = await another();
  return {
    store,
    another,
    remote: ['etcd', server.endpoint],
    restart: async () => {
      await server.kill();
      await sleep(700);
      await server.start();
    },
    compact: async (revision) => void server.etcdctl('compaction', String(revision)),
    close: async () => {
      await store.close();
      await server.stop();
    },
  };
});

test('a server that is away is reported within the timeout, refused or silent', async () => {
  const silent = createServer(() => undefined);
  const port = await listening(silent);
  for (const endpoint of [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${port}`]) {
    const store = await openEtcd({ endpoints: [endpoint], timeoutMs: 500 });
    const started = performance.now();
    await expect(store.get('x')).rejects.toMatchObject({
      code: 'store-unreachable',
      exit: 5,
      hint: expect.stringContaining('--tunnel'),
    });
    expect(performance.now() - started).toBeLessThan(1500);
    await store.close();
  }
  silent.close();
});

test('the next endpoint is asked when one is away', async () => {
  const server = await startEtcd();
  const store = await openEtcd({
    endpoints: [`http://127.0.0.1:${await freePort()}`, server.endpoint],
    timeoutMs: 3000,
  });
  expect(await store.commit({ compare: [], writes: [{ put: 'x', value: '1' }] })).toBeGreaterThan(1);
  expect((await store.get('x'))?.value).toBe('1');
  await store.close();
  await server.stop();
});

test('an endpoint that takes connections and says nothing is left for the next one', async () => {
  const server = await startEtcd();
  const silent = createServer(() => undefined);
  const port = await listening(silent);
  const store = await openEtcd({ endpoints: [`http://127.0.0.1:${port}`, server.endpoint], timeoutMs: 500 });
  expect((await store.range('x')).entries).toEqual([]);
  expect(await store.commit({ compare: [], writes: [{ put: 'x', value: '1' }] })).toBeGreaterThan(1);
  await store.close();
  silent.close();
  await server.stop();
});

test('of several endpoints the first that takes a connection is asked; none: said at once', async () => {
  const server = await startEtcd();
  const [one, two] = [await freePort(), await freePort()];
  expect(await firstToAnswer([`127.0.0.1:${one}`, `127.0.0.1:${server.port}`], 1000)).toBe(1);
  expect(await firstToAnswer([`127.0.0.1:${server.port}`, `127.0.0.1:${one}`], 1000)).toBe(0);
  expect(await firstToAnswer([`127.0.0.1:${one}`, `127.0.0.1:${two}`], 1000)).toBeNull();
  const away = await openEtcd({
    endpoints: [`http://127.0.0.1:${one}`, `http://127.0.0.1:${two}`],
    timeoutMs: 60_000,
  });
  await expect(away.get('x')).rejects.toMatchObject({ code: 'store-unreachable', exit: 5 });
  await away.close();
  await server.stop();
});

test('logins: right, wrong, missing, and a token that ended with the server', async () => {
  const server = await startEtcd();
  server.etcdctl('user', 'add', 'root:secret');
  server.etcdctl('user', 'grant-role', 'root', 'root');
  server.etcdctl('user', 'add', 'limited:secret');
  server.etcdctl('auth', 'enable');
  const open = (login: { user?: string; password?: string }) =>
    openEtcd({ endpoints: [server.endpoint], timeoutMs: 3000, ...login });
  const right = await open({ user: 'root', password: 'secret' });
  expect(await right.commit({ compare: [], writes: [{ put: 'x', value: '1' }] })).not.toBeNull();
  for (const login of [
    { user: 'root', password: 'wrong' },
    { user: 'nobody', password: 'x' },
    { user: 'limited', password: 'secret' },
    {},
  ]) {
    const store = await open(login);
    await expect(store.get('x')).rejects.toMatchObject({ code: 'store-auth', exit: 5 });
    const watch = store.watch('', 0, AbortSignal.timeout(5000))[Symbol.asyncIterator]();
    await expect(watch.next()).rejects.toMatchObject({ code: 'store-auth' });
    await store.close();
  }
  await server.kill();
  await server.start();
  expect((await right.get('x'))?.value).toBe('1');
  await right.close();
  await server.stop();
});

test('TLS: CA and client certificate, straight and through a tunnel', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'cluster-tls-'));
  const path = (name: string): string => join(directory, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' });
  const authority = (name: string) =>
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      `/CN=${name}`,
      '-days',
      '2',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
    );
  authority('ca');
  authority('stranger');
  writeFileSync(
    path('ext'),
    'subjectAltName=IP:127.0.0.1,DNS:etcd.internal\nextendedKeyUsage=serverAuth,clientAuth\n',
  );
  for (const name of ['server', 'client']) {
    openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    );
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      'ext',
      '-out',
      `${name}.pem`,
    );
  }
  const server = await startEtcd({ ca: path('ca.pem'), cert: path('server.pem'), key: path('server.key') });
  const [ca, stranger, cert, key] = ['ca.pem', 'stranger.pem', 'client.pem', 'client.key'].map((file) =>
    readFileSync(path(file)),
  );
  if (!ca || !stranger || !cert || !key) throw new Error('no certificates');
  const base = { endpoints: [server.endpoint], timeoutMs: 3000 };

  const good = await openEtcd({ ...base, ca, cert, key });
  expect(await good.commit({ compare: [], writes: [{ put: 'x', value: 'tls' }] })).not.toBeNull();
  await good.close();

  const dialled: string[] = [];
  const tunnelled = await openEtcd({
    ...base,
    ca,
    cert,
    key,
    endpoints: ['https://etcd.internal:2379'],
    connect: async (host, port) => {
      dialled.push(`${host}:${port}`);
      return connect(server.port, '127.0.0.1');
    },
  });
  expect((await tunnelled.get('x'))?.value).toBe('tls');
  expect(dialled).toEqual(['etcd.internal:2379']);
  await tunnelled.close();

  for (const wrong of [{ ca: stranger, cert, key }, { ca }]) {
    const store = await openEtcd({ ...base, ...wrong });
    await expect(store.get('x')).rejects.toMatchObject({ code: 'store-auth', exit: 5 });
    console.log(await store.get('x').catch((error: Error) => error.message));
    await store.close();
  }
  await server.stop();
  rmSync(directory, { recursive: true });
});
