import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { translate } from '../../../src/lib/gateway/haproxy/translate/translate.ts';
import { type Authority, authority } from '../../support/key-files.ts';
import { freePort } from '../../support/port.ts';
import { ensureHaproxy, optionsFor, runHaproxy, stateOf } from './support/haproxy-run.ts';

const DAY_MS = 86_400_000;

let dir: string;
let ca: Authority;

beforeAll(() => {
  ensureHaproxy();
  dir = mkdtempSync(join(tmpdir(), 'cluster-choice-'));
  ca = authority(dir, 'authority');
});
afterAll(() => rmSync(dir, { recursive: true }));

/** A host whose certificate has this common name and these names, valid for so many days. */
interface Held {
  readonly cn: string;
  readonly names: readonly string[];
  readonly days?: number;
  readonly isDefault?: boolean;
}

/** Common names of the certificates that HAProxy shows to clients who ask for these names, at a time in days from now. */
async function shown(
  hosts: Readonly<Record<string, Held>>,
  ask: readonly string[],
  days: number,
): Promise<string[]> {
  const port = await freePort();
  const objects = Object.entries(hosts).map(([name, { cn, names, days: valid, isDefault }]) => {
    const extension =
      names.length === 0 ? [] : [`subjectAltName=${names.map((one) => `DNS:${one}`).join(',')}`];
    const { pem } = ca.sign(cn, extension, valid ?? 10);
    const Settings = { Default: isDefault ?? false, KeyPair: Buffer.from(pem).toString('base64') };
    return [`hosts/${name}/host`, { Settings }] as const;
  });
  const state = stateOf({
    ...Object.fromEntries(objects),
    'listeners/l': { Protocol: 'https', Address: { Network: 'tcp', Address: `127.0.0.1:${port}` } },
  });
  const now = Date.now() + days * DAY_MS;
  const running = await runHaproxy((directory) =>
    translate(state, { ...optionsFor('127.0.0.1:1', directory), now }),
  );
  try {
    return await Promise.all(ask.map((servername) => shake(port, servername)));
  } finally {
    await running.stop();
  }
}

function shake(port: number, servername: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

test.each<[string, Record<string, Held>, Record<string, string>, number]>([
  [
    'the host of that name wins, whichever order they come in',
    {
      'a.test': { cn: 'first', names: ['a.test', 'z.test'] },
      'z.test': { cn: 'second', names: ['z.test', 'a.test'] },
    },
    { 'a.test': 'first', 'z.test': 'second' },
    0,
  ],
  [
    'a wildcard host does not take the name of another',
    {
      '*.test': { cn: 'wild', names: ['*.test', 'b.test'], isDefault: true },
      'b.test': { cn: 'own', names: ['b.test'] },
    },
    { 'b.test': 'own', 'c.test': 'wild' },
    0,
  ],
  [
    'one that is valid goes before one that has expired, whoever has the name',
    {
      'a.test': { cn: 'old', names: ['a.test'], days: 1 },
      'b.test': { cn: 'new', names: ['b.test', 'a.test'] },
    },
    { 'a.test': 'new', 'b.test': 'new' },
    5,
  ],
  [
    'until then it is the one of that name',
    {
      'a.test': { cn: 'old', names: ['a.test'], days: 1 },
      'b.test': { cn: 'new', names: ['b.test', 'a.test'] },
    },
    { 'a.test': 'old', 'b.test': 'new' },
    0,
  ],
  [
    'one that is not valid yet is like one that has expired; where none is valid, the host of the name wins',
    {
      'a.test': { cn: 'first', names: ['a.test', 'b.test'] },
      'b.test': { cn: 'second', names: ['b.test', 'a.test'] },
    },
    { 'a.test': 'first', 'b.test': 'second' },
    -5,
  ],
  [
    'an expired one is still shown where there is no other',
    {
      'a.test': { cn: 'old', names: ['a.test'], days: 1 },
      'b.test': { cn: 'main', names: ['b.test'], isDefault: true },
    },
    { 'a.test': 'old', 'c.test': 'main' },
    5,
  ],
  [
    'upper case and a bare common name are names as well',
    {
      'a.test': { cn: 'main', names: ['A.TEST'], isDefault: true },
      'x.test': { cn: 'b.test', names: [] },
    },
    { 'a.test': 'main', 'b.test': 'b.test', 'x.test': 'b.test' },
    0,
  ],
])('%s', async (_, hosts, expected, days) => {
  expect(await shown(hosts, Object.keys(expected), days)).toEqual(Object.values(expected));
});
