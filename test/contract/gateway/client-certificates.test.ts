import { readFileSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { request } from 'node:https';
import { join } from 'node:path';
import { connect, type SecureVersion, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Authority, authority, type KeyFiles, keyFiles } from '../../support/key-files.ts';
import { freePort } from '../../support/port.ts';
import { type Site, type SmallServer, site, smallServer } from './support/features.ts';

let at: Site;
let server: SmallServer;
let ports: Record<'must' | 'may' | 'open' | 'others', number>;
let [staff, others]: Authority[] = [];
let [alice, mallory]: KeyFiles[] = [];

interface Asked {
  readonly status: number;
  readonly error?: string;
  readonly body: string;
  /** What the server was told. */
  readonly headers: Readonly<Record<string, string>>;
}

interface Asking {
  readonly client?: KeyFiles | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly host?: string;
  readonly upload?: Buffer;
}

/** One request over TLS. */
function ask(port: number, { client, headers = {}, host = 'x', upload }: Asking = {}): Promise<Asked> {
  const pair = client && { key: readFileSync(client.key), cert: readFileSync(client.cert) };
  return new Promise((resolve) => {
    const options = { port, host: '127.0.0.1', rejectUnauthorized: false, agent: false as const, ...pair };
    const method = upload === undefined ? 'GET' : 'POST';
    const asked = request({ ...options, method, headers: { host, ...headers } }, (response) => {
      let body = '';
      response.on('data', (part) => (body += part));
      response.on('end', () => {
        const status = response.statusCode ?? 0;
        resolve({ status, body, headers: status === 200 ? JSON.parse(body) : {} });
      });
    });
    asked.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ status: 0, error: error.code ?? error.message, body: '', headers: {} }),
    );
    asked.end(upload);
  });
}

const der = ({ cert }: KeyFiles): string => {
  const [, body = ''] = /-----BEGIN CERTIFICATE-----([^-]*)-----/.exec(readFileSync(cert, 'utf8')) ?? [];
  return `:${body.replaceAll('\n', '')}:`;
};

beforeAll(async () => {
  at = await site('embedded');
  const [must, may, open, other] = [await freePort(), await freePort(), await freePort(), await freePort()];
  ports = { must, may, open, others: other };
  server = await smallServer((asked, response) => {
    let bytes = 0;
    asked.on('data', (part) => (bytes += part.length));
    asked.on('end', () => response.end(JSON.stringify({ ...asked.headers, bytes })));
  });
  [staff, others] = [authority(at.dir, 'staff'), authority(at.dir, 'others')];
  [alice, mallory] = [staff.sign('alice, "the first"'), others.sign('mallory')];
  await at.run('secret new_key -f', join(at.dir, 'seal.key'));
  const sealKey = readFileSync(join(at.dir, 'seal.key'), 'utf8').trim();
  await at.run('backend upsert -id b');
  await at.run(`server upsert -b b -id s -url ${server.url}`);
  await at.run('frontend upsert -id f -b b -route PathRegexp(".*")');
  await at.run('frontend upsert -id t -b b -route Host("trusting") --trust-forward-header');
  const own = keyFiles(at.dir, 'x');
  await at.run(
    `host upsert --name x --private-key ${own.key} --cert ${own.cert} --seal-key ${sealKey} --default`,
  );
  const listener = (id: string, port: number, ...more: string[]) =>
    at.run(`listener upsert --id ${id} --proto https --addr 127.0.0.1:${port}`, ...more);
  await listener('must', must, '--client-ca', staff.cert);
  await listener('may', may, '--client-ca', staff.cert, '--client-auth', 'optional');
  await listener('others', other, '--client-ca', others.cert);
  await listener('open', open);
  await at.run(`listener upsert --id plain --proto http --addr 127.0.0.1:${at.listen}`);
  await at.start('--seal-key', sealKey);
});

afterAll(async () => {
  await at.close();
  server.close();
});

describe('a listener that requires a certificate', () => {
  test('lets in who has one, and tells servers who it is', async () => {
    const { status, headers } = await ask(ports.must, { client: alice });
    expect(status).toBe(200);
    expect(headers['client-cert']).toBe(der(alice!));
    expect(headers['x-client-cert-subject']).toBe('CN=alice\\, \\"the first\\",O=Acme');
  });

  test.each([
    ['none', () => undefined],
    ['one of another authority', () => mallory],
    ['one signed by itself', () => keyFiles(at.dir, 'self')],
  ])('refuses %s in the handshake', async (_, client) => {
    const before = server.requests;
    expect(await ask(ports.must, { client: client() })).toMatchObject({ status: 0 });
    expect(server.requests).toBe(before);
  });

  test('over HTTP/2 as well', async () => {
    const pair = { key: readFileSync(alice!.key), cert: readFileSync(alice!.cert) };
    const session = connectHttp2(`https://127.0.0.1:${ports.must}`, { ...pair, rejectUnauthorized: false });
    const text = await new Promise<string>((resolve, reject) => {
      const stream = session.request({ ':path': '/', ':authority': 'x' });
      let body = '';
      stream.on('data', (part) => (body += part));
      stream.on('end', () => resolve(body));
      stream.on('error', reject);
      session.on('error', reject);
    });
    session.close();
    expect(JSON.parse(text)['client-cert']).toBe(der(alice!));
  });

  test('a large upload and a long header leave room for the certificate', async () => {
    const headers = { 'x-long': 'x'.repeat(15_000) };
    const { status, headers: told } = await ask(ports.must, {
      client: alice,
      headers,
      upload: Buffer.alloc(300_000),
    });
    expect([status, told.bytes, told['client-cert']]).toEqual([200, 300_000, der(alice!)]);
  });
});

describe('a listener where it is optional', () => {
  test('serves those without one, too, and says nothing of them', async () => {
    const [without, withOne] = [await ask(ports.may), await ask(ports.may, { client: alice })];
    expect([without.status, without.headers['client-cert']]).toEqual([200, undefined]);
    expect([withOne.status, withOne.headers['client-cert']]).toEqual([200, der(alice!)]);
  });

  test('but refuses one that is not good', async () =>
    expect(await ask(ports.may, { client: mallory })).toMatchObject({ status: 0 }));
});

describe('what a client claims of its certificate', () => {
  const claims = {
    'client-cert': ':ZXZpbA==:',
    'Client-Cert-Chain': ':ZXZpbA==:',
    client_cert: 'evil',
    'x-client-cert-subject': 'CN=root',
    X_Client_Cert_Subject: 'CN=root',
  };
  const left = ({ headers }: Asked) => Object.keys(headers).filter((name) => /client/.test(name));

  test('is dropped on every listener', async () => {
    for (const port of [ports.open, ports.may])
      expect(left(await ask(port, { headers: claims }))).toEqual([]);
    const plain = await at.ask('x', { headers: claims });
    expect(Object.keys(JSON.parse(plain.body)).filter((name) => /client/.test(name))).toEqual([]);
  });

  test('passes for a frontend that trusts clients, unless the listener asks itself', async () => {
    const trusting = { headers: claims, host: 'trusting' };
    expect(left(await ask(ports.open, trusting))).toHaveLength(5);
    expect(left(await ask(ports.may, trusting))).toEqual([]);
    const { headers } = await ask(ports.must, { ...trusting, client: alice });
    expect(headers['client-cert']).toBe(der(alice!));
  });
});

describe('a TLS session', () => {
  const first = async (
    port: number,
    version: SecureVersion,
    client?: KeyFiles,
  ): Promise<Buffer | undefined> => {
    const { socket, session } = await handshake(port, version, client);
    socket.destroy();
    return session;
  };

  /** The handshake and one request on it. */
  function handshake(port: number, version: SecureVersion, client?: KeyFiles, session?: Buffer) {
    const pair = client && { key: readFileSync(client.key), cert: readFileSync(client.cert) };
    return new Promise<{ socket: TLSSocket; session?: Buffer; answer: string; reused: boolean }>(
      (resolve) => {
        const options = { port, host: '127.0.0.1', rejectUnauthorized: false, minVersion: version, ...pair };
        const socket = connect({ ...options, maxVersion: version, ...(session && { session }) });
        let [answer, kept]: [string, Buffer | undefined] = ['', session];
        socket.on('session', (data) => (kept = data));
        socket.on('data', (part) => (answer += part));
        socket.on('error', (error) => (answer ||= error.message));
        socket.on('close', () => {
          resolve({ socket, answer, reused: socket.isSessionReused(), ...(kept && { session: kept }) });
        });
        socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      },
    );
  }

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    '%s: one that is resumed still tells of the certificate',
    async (version) => {
      const session = await first(ports.must, version, alice);
      const { answer } = await handshake(ports.must, version, alice, session);
      expect(answer).toContain(der(alice!));
    },
  );

  /** What comes of sessions from listeners that ask for less, or for others' certificates. */
  async function byTheSideDoor(version: SecureVersion) {
    const doors = [
      [ports.open, undefined],
      [ports.may, undefined],
      [ports.others, mallory],
    ] as const;
    const sessions: boolean[] = [];
    const answers: string[] = [];
    for (const [port, client] of doors) {
      const session = await first(port, version, client);
      sessions.push(session !== undefined);
      const { answer } = await handshake(ports.must, version, undefined, session);
      answers.push(answer.includes('alert') ? 'alert' : answer);
    }
    return { sessions, answers };
  }
  const closed = ['alert', 'alert', 'alert'];

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    '%s: one from another listener opens no door',
    async (version) => {
      expect(await byTheSideDoor(version)).toEqual({ sessions: [true, true, true], answers: closed });
    },
  );

  test('without tickets, too: the gateway keeps no sessions, which all listeners would share', async () => {
    for (const id of ['must', 'may', 'open', 'others'])
      await at.run(`listener upsert --id ${id} --tls-session-tickets-off`);
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
      expect((await byTheSideDoor(version)).answers).toEqual(closed);
  });
});

describe('what is said of it', () => {
  test('is kept by an upsert about something else, shown, and taken back', async () => {
    await at.run('listener upsert --id may --scope PathRegexp(".*")');
    const { ClientAuth } = JSON.parse((await at.run('listener show may --json')).stdout);
    expect(ClientAuth).toEqual({ Mode: 'optional', CA: readFileSync(staff!.cert, 'utf8') });
    expect((await at.run('listener ls')).stdout).toMatch(
      /Client certificates\n[\s\S]*may .*optional\n[\s\S]*open .*none/,
    );
    await at.run('listener upsert --id may --client-auth required');
    expect(await ask(ports.may)).toMatchObject({ status: 0 });
    await at.run('listener upsert --id may --client-auth none');
    expect((await ask(ports.may, { client: mallory })).status).toBe(200);
  });

  test('new authorities count at once', async () => {
    writeFileSync(join(at.dir, 'both.pem'), readFileSync(staff!.cert, 'utf8') + others!.pem);
    await at.run('listener upsert --id must --client-ca', join(at.dir, 'both.pem'));
    expect((await ask(ports.must, { client: mallory })).status).toBe(200);
    const { ClientAuth } = JSON.parse((await at.run('listener show must --json')).stdout);
    expect(ClientAuth.CA).not.toContain('PRIVATE KEY');
  });

  test('is warned of where no client could be let in', async () => {
    const middle = authority(at.dir, 'middle', staff);
    const upsert = (file: string) =>
      at.run('listener upsert --id spare --proto https --addr 127.0.0.1:1 --no-wait --client-ca', file);
    expect((await upsert(middle.cert)).stderr).toBe(
      'WARNING: listener spare: "O=Acme, CN=middle" is signed by one that is not in the file: nothing that it signs is accepted\n',
    );
    expect((await upsert(alice!.cert)).stderr).toMatch(/CN=alice.* is not an authority/);
    expect((await upsert(staff!.cert)).stderr).toBe('');
    await at.run('listener rm spare');
  });

  test('a listener whose authorities cannot be read lets nobody in', async () => {
    const value = {
      Id: 'may',
      Protocol: 'https',
      Address: { Network: 'tcp', Address: `127.0.0.1:${ports.may}` },
    };
    const CA = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    for (const ClientAuth of [
      { Mode: 'required', CA },
      { Mode: 'all', CA: staff!.pem },
      { Mode: 'required' },
      'x',
    ]) {
      await at.put('listeners/may', { ...value, ClientAuth });
      expect(await ask(ports.may, { client: alice })).toMatchObject({ status: 0, error: 'ECONNREFUSED' });
      expect((await at.status()).leftOut).toHaveLength(1);
    }
    expect((await ask(ports.must, { client: alice })).status).toBe(200);
  });
});
