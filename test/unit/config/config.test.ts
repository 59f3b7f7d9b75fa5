import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, type Stats, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EXAMPLE } from '../../../src/lib/config/example.ts';
import { schema } from '../../../src/lib/config/file.ts';
import { type Config, type ConfigFlags, loadConfig } from '../../../src/lib/config/index.ts';
import { durationMs } from '../../../src/lib/config/kind.ts';
import { SETTINGS } from '../../../src/lib/config/load.ts';
import { requireOwn } from '../../../src/lib/config/trust.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cluster-config-'));
  mkdirSync(join(root, 'cwd'));
  mkdirSync(join(root, 'home/.config/cluster'), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

const local = (text: string): void => writeFileSync(join(root, 'cwd/cluster.yaml'), text);
const user = (text: string): void => writeFileSync(join(root, 'home/.config/cluster/config.yaml'), text);
const load = (flags: ConfigFlags = {}, env: Record<string, string> = {}): Promise<Config> =>
  loadConfig({ flags, env, cwd: join(root, 'cwd'), home: join(root, 'home') });

describe('the example', () => {
  test('is docs/cluster.example.yaml', () => {
    const file = new URL('../../../docs/cluster.example.yaml', import.meta.url);
    expect(readFileSync(file, 'utf8')).toBe(EXAMPLE);
  });

  test('names exactly the settings, their variables and their kinds', async () => {
    const kinds = new Map([...(await schema())].filter(([, kind]) => kind.type !== 'section'));
    expect([...kinds.keys()].sort()).toEqual(Object.keys(SETTINGS).sort());
    for (const [key, { env, kind = { type: 'text' } }] of Object.entries(SETTINGS)) {
      expect(EXAMPLE).toContain(env);
      expect(kinds.get(key)).toEqual(kind);
    }
  });

  test('is a valid configuration', async () => {
    local(EXAMPLE);
    const { etcd, ssh } = await load();
    expect(etcd).toMatchObject({
      endpoints: ['https://127.0.0.1:2379'],
      timeoutMs: 3000,
      tunnel: 'root@10.0.0.5',
    });
    expect(ssh.identity).toBe(join(root, 'home/.ssh/id_ed25519'));
  });
});

test('nothing configured: the embedded store and the defaults', async () => {
  expect(await load()).toEqual({
    dataDir: join(root, 'home/.local/share/cluster'),
    etcd: null,
    minHealthyMs: 1000,
    prefix: '/cluster',
    trafficPrefix: '/vulcand',
    ssh: {
      user: 'root',
      strictHostKeyChecking: 'yes',
      transport: 'auto',
      timeoutMs: 10_000,
      goneAfterMs: 10_000,
      persistMs: 60_000,
      config: join(root, 'home/.ssh/config'),
      parallel: 30,
    },
    sources: {},
    notices: [],
  });
  expect((await load({}, { XDG_DATA_HOME: '/data' })).dataDir).toBe('/data/cluster');
});

test('flags win over environment, that over ./cluster.yaml, that over the user file', async () => {
  user('ssh:\n  user: four\n  parallel: 4\n  timeout: 4s\n  identity: key\n');
  local('ssh:\n  user: three\n  parallel: 3\n  timeout: 3s\n');
  const { ssh, sources } = await load(
    { sshUsername: 'one' },
    { CLUSTER_SSH_USERNAME: 'two', CLUSTER_SSH_PARALLEL: '2', CLUSTER_SSH_IDENTITY: '' },
  );
  expect(ssh).toMatchObject({ user: 'one', parallel: 2, timeoutMs: 3000 });
  expect(ssh.identity).toBe(join(root, 'home/.config/cluster/key'));
  expect(sources['ssh.user']).toBe('--ssh-username');
  expect(sources['ssh.parallel']).toBe('CLUSTER_SSH_PARALLEL');
  expect(sources['ssh.timeout']).toBe(`${join(root, 'cwd/cluster.yaml')}:4`);
});

test('connections are held for a duration or not at all', async () => {
  local('ssh:\n  persist: 0\n');
  expect((await load()).ssh.persistMs).toBe(0);
  expect((await load({ sshPersist: '5m' })).ssh.persistMs).toBe(300_000);
  expect((await load({}, { CLUSTER_SSH_PERSIST: '0' })).ssh.persistMs).toBe(0);
});

test('several endpoints, and a tunnel that needs none', async () => {
  const { etcd } = await load({ endpoint: 'https://a:2379, https://[::1]:2379/' });
  expect(etcd?.endpoints).toEqual(['https://a:2379', 'https://[::1]:2379']);
  expect((await load({ tunnel: 'root@m' })).etcd?.endpoints).toEqual(['http://127.0.0.1:2379']);
});

test.each([
  ['etcd:\n  endpoint: [a]\n', 2, /unknown key etcd\.endpoint/, /etcd\.endpoints/],
  ['ssh:\n  user: root\n  parallel: many\n', 3, /ssh\.parallel is 'many'/, /whole number/],
  ['ssh:\n  timeout: soon\n', 2, /ssh\.timeout/, /duration/],
  ['ssh:\n  persist: never\n', 2, /ssh\.persist/, /duration.*or 0/],
  ['ssh:\n  timeout: 0\n', 2, /ssh\.timeout/, /duration/],
  ['ssh:\n  user: [a, b]\n', 2, /wrong type/, /text/],
  ['ssh: root\n', 1, /ssh must hold keys/, /example/],
  ['ssh:\n  strict-host-key-checking: no\n', 2, /'no'/, /yes, accept-new/],
  ['\nssh: {user: [\n', 3, /not valid YAML/, /example/],
  ['- a\n', 1, /must hold keys/, /example/],
])('%j is refused with its line', async (text, line, message, hint) => {
  local(text);
  const file = join(root, 'cwd/cluster.yaml');
  await expect(load()).rejects.toMatchObject({
    code: 'config-invalid',
    message,
    hint,
    place: { file, line },
  });
});

test.each<[ConfigFlags, Record<string, string>, RegExp]>([
  [{ requestTimeout: 'x' }, {}, /--request-timeout is 'x'/],
  [{ endpoint: 'ftp://a:1' }, {}, /etcd\.endpoints is 'ftp/],
  [{ keyPrefix: 'a b' }, {}, /etcd\.prefix/],
  [{ dataDir: '' }, {}, /--data-dir/],
  [{ endpoint: 'a:1', certFile: 'c' }, {}, /given alone/],
  [{}, { CLUSTER_SSH_PARALLEL: '0' }, /CLUSTER_SSH_PARALLEL is '0'/],
])('%j %j is refused by name', async (flags, env, message) => {
  await expect(load(flags, env)).rejects.toMatchObject({
    code: 'config-invalid',
    message: expect.stringMatching(message),
  });
});

describe('credentials', () => {
  const here = 'etcd:\n  endpoints: [http://here:1]\n';
  const mine = 'etcd:\n  endpoints: [https://mine:1]\n  user: me\n  password: p\n  cert: c\n  key: k\n';

  test('those of the user file go to the endpoint of the user file only', async () => {
    user(mine);
    expect((await load()).etcd).toMatchObject({ user: 'me', password: 'p', endpoints: ['https://mine:1'] });
    local(here);
    const { etcd, notices } = await load();
    expect(etcd).toEqual({ endpoints: ['http://here:1'], timeoutMs: 3000, prefix: '/cluster' });
    const file = join(root, 'home/.config/cluster/config.yaml');
    const other = join(root, 'cwd/cluster.yaml');
    expect(notices).toEqual([
      `settings of ${other} are used`,
      `etcd.user, etcd.password, etcd.cert, etcd.key of ${file} not used: the etcd that ${other}:2 names gets none of them`,
    ]);
  });

  test.each([
    ['an endpoint that is typed', { endpoint: 'http://typed:1' }, {}, ''],
    ['an endpoint of the environment', {}, { CLUSTER_ENDPOINT: 'http://typed:1' }, ''],
    ['a tunnel that is typed', { tunnel: 'root@typed' }, {}, ''],
    ['a tunnel of the directory', {}, {}, 'etcd:\n  tunnel: root@here\n'],
    ['an authority of the directory', {}, {}, 'etcd:\n  ca: ca.pem\n'],
  ] as const)('%s gets none of the user file', async (_, flags, env, directory) => {
    user(mine);
    local(directory);
    const { etcd } = await load(flags, env);
    expect(etcd).not.toHaveProperty('password');
    expect(etcd).not.toHaveProperty('user');
    expect(etcd).not.toHaveProperty('key');
  });

  test('those that are typed are refused for the endpoint of a file', async () => {
    local(here);
    await expect(load({}, { CLUSTER_ETCD_PASSWORD: 'p' })).rejects.toMatchObject({
      code: 'config-mixed-credentials',
      message: expect.stringContaining('CLUSTER_ETCD_PASSWORD is not sent to the etcd that'),
    });
    const typed = { endpoint: 'https://typed:1' };
    const { etcd } = await load(typed, { CLUSTER_ETCD_USER: 'u', CLUSTER_ETCD_PASSWORD: 'p' });
    expect(etcd).toMatchObject({ user: 'u', password: 'p', endpoints: ['https://typed:1'] });
  });

  test('without an endpoint they are of no account', async () => {
    expect((await load({}, { CLUSTER_ETCD_PASSWORD: 'p' })).etcd).toBeNull();
  });
});

describe('a file of the directory that somebody else could have written is refused', () => {
  const stats = (uid: number, mode: number) => ({ uid, mode: 0o100000 | mode }) as Stats;
  test.each([
    [1000, 0o644, 1000, undefined],
    [0, 0o644, 1000, undefined],
    [1000, 0o600, 0, 1000],
  ])('owner %i, mode %o, user %i, sudo of %s: used', (uid, mode, me, sudo) => {
    expect(() => requireOwn('cluster.yaml', stats(uid, mode), me, sudo)).not.toThrow();
  });
  test.each([
    [1001, 0o644, 1000, undefined, 'belongs to another user (uid 1001)'],
    [1000, 0o644, 0, undefined, 'belongs to another user (uid 1000)'],
    [1000, 0o644, 1001, 1000, 'belongs to another user (uid 1000)'],
    [1000, 0o664, 1000, undefined, 'others may write to it'],
    [1000, 0o646, 1000, undefined, 'others may write to it'],
  ])('owner %i, mode %o, user %i, sudo of %s: refused', (uid, mode, me, sudo, why) => {
    expect(() => requireOwn('cluster.yaml', stats(uid, mode), me, sudo)).toThrow(why);
  });

  test('and is judged by the file that is read', async () => {
    local('ssh:\n  user: mallory\n');
    chmodSync(join(root, 'cwd/cluster.yaml'), 0o666);
    const input = { flags: {}, env: {}, cwd: join(root, 'cwd'), home: join(root, 'home') };
    await expect(loadConfig({ ...input, user: { uid: process.getuid?.() ?? 0 } })).rejects.toMatchObject({
      code: 'config-untrusted',
    });
  });
});

test('durations', () => {
  expect(['500ms', '3s', '1.5s', '2m', '7', '0s', 's', ''].map(durationMs)).toEqual([
    500,
    3000,
    1500,
    120_000,
    7000,
    undefined,
    undefined,
    undefined,
  ]);
});
