import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import type { Config } from '../../src/lib/config/index.ts';
import {
  isLocalEndpoint,
  readEndpoints,
  settingsFiles,
  settingsStamp,
  sha256,
} from '../../src/lib/control/machines/etc-cluster.ts';
import { outdatedUnits, releaseStep, settingsDiffer } from '../../src/lib/control/machines/install.ts';
import { parseInstalled } from '../../src/lib/machine/index.ts';

const [A, B] = ['a1'.repeat(32), 'b2'.repeat(32)];
const config = (etcd: Partial<NonNullable<Config['etcd']>>): Config => ({
  dataDir: '/home/me/store',
  etcd: { endpoints: ['10.0.0.5:2379'], timeoutMs: 3000, prefix: '/cluster', ...etcd },
  prefix: '/cluster',
  trafficPrefix: '/vulcand',
  ssh: {
    user: 'root',
    strictHostKeyChecking: 'yes',
    transport: 'auto',
    timeoutMs: 10_000,
    config: '/home/me/.ssh/config',
    parallel: 30,
    goneAfterMs: 10_000,
    persistMs: 0,
  },
  minHealthyMs: 1000,
  sources: {},
  notices: [],
});
const place = { endpoints: ['http://10.0.0.5:2379', 'http://10.0.0.6:2379'] };

describe('what a machine says', () => {
  const installed = parseInstalled(
    [
      'machine-id e9436653',
      'arch x86_64',
      'version 0.1.0',
      `current ${A}`,
      `present ${A.slice(0, 16)}`,
      `present ${B.slice(0, 16)}`,
      'file environment 600 abc',
      `running gateway.service ${B.slice(0, 16)} s1`,
      `running registrator.service ${A.slice(0, 16)} s1`,
      `running plain.service ${A.slice(0, 16)} `,
      '',
    ].join('\n'),
  );
  test('is read', () => {
    expect(installed).toMatchObject({
      machineId: 'e9436653',
      architecture: 'x86_64',
      current: { hash: A, version: '0.1.0' },
      foreign: null,
    });
    expect(installed.files.get('environment')).toEqual({ mode: '600', hash: 'abc' });
    expect(parseInstalled('machine-id x\narch aarch64\nforeign /opt/cluster\n')).toMatchObject({
      current: null,
      present: [],
      foreign: '/opt/cluster',
      running: [],
    });
  });
  test('decides what is sent', () => {
    expect(releaseStep(installed, A)).toBe('same');
    expect(releaseStep(installed, B)).toBe('switched');
    expect(releaseStep(installed, 'c3'.repeat(32))).toBe('sent');
  });
  test('shows which units are behind: by release, and by settings where they read them', () => {
    expect(outdatedUnits(installed, A, 's1')).toEqual(['gateway.service']);
    expect(outdatedUnits(installed, A, 's2')).toEqual(['gateway.service', 'registrator.service']);
    expect(outdatedUnits(installed, A, null)).toEqual(['gateway.service']);
  });
});

describe('/etc/cluster', () => {
  test('says where the store is, and nothing that is not set', () => {
    const files = settingsFiles(config({}), place, {});
    expect([...files.keys()]).toEqual(['environment']);
    expect(files.get('environment')).toBe(
      `# Written by cluster machine install
CLUSTER_ENDPOINT="http://10.0.0.5:2379,http://10.0.0.6:2379"
CLUSTER_REQUEST_TIMEOUT="3000ms"
CLUSTER_KEY_PREFIX="/cluster"
CLUSTER_TRAFFIC_PREFIX="/vulcand"
CLUSTER_SETTINGS=${settingsStamp(files)}
`,
    );
    const embedded = settingsFiles({ ...config({}), etcd: null }, { dataDir: '/var/lib/x' }, {});
    expect(embedded.get('environment')).toMatch(/^CLUSTER_DATA_DIR="\/var\/lib\/x"$/m);
    expect(embedded.get('environment')).not.toMatch(/ENDPOINT/);
  });
  test('has the certificates, by their path there; another one is another stamp', () => {
    const files = settingsFiles(config({}), place, { ca: 'CA', cert: 'CERT', key: 'KEY' });
    expect(files.get('store-key.pem')).toBe('KEY');
    expect(files.get('environment')).toMatch(/^CLUSTER_KEY_FILE="\/etc\/cluster\/store-key\.pem"$/m);
    const other = settingsFiles(config({}), place, { ca: 'CA2', cert: 'CERT', key: 'KEY' });
    expect(settingsStamp(other)).not.toBe(settingsStamp(files));
  });
  test('holds any password, as sh reads it', () => {
    const password = 'a b"c\'d$HOME`id`\\e#f';
    const environment = settingsFiles(config({ user: 'me', password }), place, {}).get('environment');
    const ran = spawnSync(
      'sh',
      ['-c', 'eval "$1"; printf %s "$CLUSTER_ETCD_PASSWORD"', '-', environment ?? ''],
      {
        encoding: 'utf8',
      },
    );
    expect(ran.stdout).toBe(password);
    expect(() => settingsFiles(config({ user: 'me', password: 'a\nb' }), place, {})).toThrow(
      expect.objectContaining({ code: 'bad-setting' }),
    );
  });
  test('differs by content, by mode, by what is missing and by what is too much', () => {
    const files = new Map([['environment', 'x']]);
    const there = (mode: string, text: string) => [{ mode, hash: sha256(text) }] as const;
    const seen = (...entries: [string, { mode: string; hash: string }][]) => ({ files: new Map(entries) });
    expect(settingsDiffer(seen(['environment', there('600', 'x')[0]]), files)).toBe(false);
    expect(settingsDiffer(seen(['environment', there('644', 'x')[0]]), files)).toBe(true);
    expect(settingsDiffer(seen(['environment', there('600', 'y')[0]]), files)).toBe(true);
    expect(settingsDiffer(seen(), files)).toBe(true);
    const both = seen(['environment', there('600', 'x')[0]], ['store-ca.pem', there('600', 'CA')[0]]);
    expect(settingsDiffer(both, files)).toBe(true);
  });
});

test('endpoints are addresses with ports', () => {
  expect(readEndpoints(' http://10.0.0.5:2379/, etcd.lan:2379')).toEqual([
    'http://10.0.0.5:2379',
    'etcd.lan:2379',
  ]);
  for (const bad of ['', ',', '10.0.0.5', 'http://10.0.0.5:2379/x', 'a b:1', 'ftp://a:1'])
    expect(() => readEndpoints(bad), bad).toThrow(expect.objectContaining({ code: 'bad-endpoint' }));
  expect(
    ['127.0.0.1:2379', 'https://localhost:2379', '[::1]:1', 'http://127.3.2.1:1'].every(isLocalEndpoint),
  ).toBe(true);
  expect(['10.0.0.5:2379', 'http://localhost.lan:2379'].some(isLocalEndpoint)).toBe(false);
});
