import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readMiddleware, readTraffic, type StoredEntry } from '../../../src/lib/traffic/index.ts';

interface Case {
  readonly id: string;
  readonly area: string;
  readonly given: Record<string, unknown>;
  readonly when: Record<string, unknown>;
  readonly expect: Record<string, unknown>;
}

const cases = JSON.parse(
  readFileSync(new URL('../../conformance/vulcand.json', import.meta.url), 'utf8'),
) as Case[];
const of = (area: string): Case[] => cases.filter((item) => item.area === area);

const state = (keys: Record<string, unknown>) =>
  readTraffic(
    '/vulcand/',
    Object.entries(keys).map(
      ([key, value]): StoredEntry => ({
        path: key.replace('/vulcand/', ''),
        value: JSON.stringify(value),
        revision: 1,
        lease: null,
      }),
    ),
    1,
  );

describe('middleware-validate', () => {
  test.each(of('middleware-validate'))('$id', ({ given, expect: { valid } }) => {
    const read = () => readMiddleware('m', { Id: 'm', Priority: 1, ...given });
    if (valid) expect(read().Type).toBe(given.Type);
    else expect(read).toThrow(/./);
  });
});

describe('etcd-schema', () => {
  test.each(of('etcd-schema').filter(({ given }) => given.keys !== undefined))(
    '$id: every hand-written key is read, its id from the key',
    ({ given }) => {
      const { problems, stored } = state(given.keys as Record<string, unknown>);
      expect([...problems.values()]).toEqual([]);
      expect(stored.size).toBe(Object.keys(given.keys as object).length);
    },
  );

  test.each(of('etcd-schema').filter(({ when }) => when.put !== undefined))(
    '$id: a value that is ignored is named',
    ({ given, when }) => {
      const key = String(given.key);
      const { problems, frontends } = state({ [key]: when.put });
      expect(frontends.size).toBe(0);
      expect([...problems.values()]).toEqual([{ key, message: expect.stringMatching(/^Unsupported/) }]);
    },
  );
});

describe('hazard', () => {
  const frontend = (backend: string) => ({ Type: 'http', BackendId: backend, Route: 'Path("/")' });

  test('hazard-005: a frontend whose backend does not exist keeps nothing else from being read', () => {
    const { frontends, backends, problems } = state({
      '/vulcand/frontends/lost/frontend': frontend('nowhere'),
      '/vulcand/backends/b/backend': { Type: 'http' },
      '/vulcand/frontends/f/frontend': frontend('b'),
    });
    expect([...frontends.keys()].sort()).toEqual(['f', 'lost']);
    expect([...backends.keys()]).toEqual(['b']);
    expect(problems.size).toBe(0);
  });

  test('one value that is no JSON keeps nothing else from being read', () => {
    const entries: StoredEntry[] = [
      { path: 'backends/a/backend', value: '{oops', revision: 1, lease: null },
      { path: 'backends/b/backend', value: '{"Type":"http"}', revision: 1, lease: null },
    ];
    const { backends, problems } = readTraffic('/vulcand/', entries, 1);
    expect([...backends.keys()]).toEqual(['b']);
    expect([...problems.keys()]).toEqual(['backends/a/backend']);
  });
});
