import { expect, test } from 'vitest';
import { waitingFor } from '../../../src/lib/control/traffic/wait-backend.ts';
import { readTraffic } from '../../../src/lib/traffic/index.ts';

const entry = (path: string, value: object) => ({
  path,
  value: JSON.stringify(value),
  revision: 1,
  lease: null,
});
const HTTP = { Type: 'http' };
const BASE = [
  entry('backends/app-v1.0/backend', HTTP),
  entry('backends/app-v1.0/servers/a', { URL: 'http://10.0.0.1:80' }),
  entry('frontends/app/frontend', { ...HTTP, BackendId: 'app-v1.0', Route: 'Host("app.test")' }),
];
const EMPTY = entry('backends/app-v2.0/backend', HTTP);
const SERVER = entry('backends/app-v2.0/servers/b', { URL: 'http://10.0.0.2:80' });
const CHECKED = new Map([['app-v2.0', ['app@2', 'app@1']]]);
const said = (
  entries: readonly ReturnType<typeof entry>[],
  running: ReadonlyMap<string, readonly string[]>,
  of: { id?: string; backend?: string; waitBackend?: string } = {},
) =>
  waitingFor(readTraffic('/vulcand', [...BASE, ...entries], 1), running, {
    id: undefined,
    backend: 'v2.0',
    waitBackend: undefined,
    ...of,
  });

test.each([
  ['has instances and no server', [EMPTY], CHECKED, {}, 'backend app-v2.0: being checked: app@1, app@2'],
  ['has instances and no key yet', [], CHECKED, {}, 'being checked'],
  [
    'is named by its id, for one frontend',
    [EMPTY],
    CHECKED,
    { id: 'app', backend: 'app-v2.0' },
    'being checked',
  ],
  [
    'has no server, and waiting was asked for',
    [EMPTY],
    new Map(),
    { waitBackend: '1m' },
    'it has no server yet',
  ],
  [
    'does not exist, and waiting was asked for',
    [],
    new Map(),
    { waitBackend: '1m' },
    'backend v2.0: it does not exist yet',
  ],
])('a backend is waited for that %s', (_, entries, running, of, text) => {
  expect(said(entries, running, of)).toContain(text);
});

test.each([
  ['has a server', [EMPTY, SERVER], CHECKED, { waitBackend: '1m' }],
  ['has no instance', [EMPTY], new Map(), {}],
  ['does not exist', [], new Map(), {}],
  [
    'is served by the frontend already',
    [],
    new Map([['app-v1.0', ['x']]]),
    { id: 'app', backend: 'app-v1.0' },
  ],
])('one that %s is not', (_, entries, running, of) => {
  expect(said(entries, running, of)).toBeNull();
});
