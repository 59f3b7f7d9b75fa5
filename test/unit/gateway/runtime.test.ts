import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  commandLines,
  followingCommands,
  type LiveNames,
  type RuntimeCommand,
  runtimeDiff,
  serverKey,
  withoutAlias,
} from '../../../src/lib/gateway/haproxy/process/runtime.ts';
import { readProcesses } from '../../../src/lib/gateway/haproxy/process/socket.ts';
import type { PoolServer, Serving } from '../../../src/lib/gateway/haproxy/serving.ts';

type Pools = Record<string, Record<string, PoolServer>>;

const server = (port: number, weight = 1, keywords = ''): PoolServer => ({
  address: '10.0.0.1',
  port,
  weight,
  keywords,
});

function serving(pools: Pools, maps: Record<string, Record<string, string>> = {}, structure = 's'): Serving {
  const nested = <Value>(all: Record<string, Record<string, Value>>) =>
    new Map(Object.entries(all).map(([name, inner]) => [name, new Map(Object.entries(inner))]));
  const nothing = { files: new Map(), leftOut: [], notes: [] };
  return { structure, pools: nested(pools), maps: nested(maps), ...nothing };
}

const lines = (from: Serving, to: Serving, live?: LiveNames): string[] | 'reload' => {
  const diff = runtimeDiff(from, to, live);
  return diff === 'reload' ? diff : diff.flatMap(commandLines);
};

describe('what changes at run time', () => {
  test('a switch is one command', () => {
    const pools = { A: { s: server(1) }, B: { s: server(2) } };
    const from = serving(pools, { 'f.map': { f: 'A', g: 'A' } });
    expect(lines(from, serving(pools, { 'f.map': { f: 'B', g: 'A' } }))).toEqual(['set map f.map f B']);
    expect(lines(from, from)).toEqual([]);
  });

  test('servers come before maps point at them, and go after', () => {
    const from = serving({ A: { s: server(1) }, B: {} }, { 'f.map': { f: 'A', old: 'A' } });
    const to = serving(
      { A: {}, B: { t: server(2, 3, 'ssl verify none') } },
      { 'f.map': { f: 'B', new: 'B' } },
    );
    expect(lines(from, to)).toEqual([
      'add server B/t 10.0.0.1:2 weight 3 ssl verify none pool-max-conn -1 pool-purge-delay 5s',
      'enable server B/t',
      'set map f.map f B',
      'add map f.map new B',
      'del map f.map old',
      'set server A/s state maint',
    ]);
  });

  test('another weight is set; another address is another server, and the old one leaves', () => {
    const from = serving({ A: { s: server(1) } });
    expect(lines(from, serving({ A: { s: server(1, 0) } }))).toEqual(['set server A/s weight 0']);
    expect(lines(from, serving({ A: { s: server(2) } }))).toEqual([
      'add server A/s:a2 10.0.0.1:2 weight 1 pool-max-conn -1 pool-purge-delay 5s',
      'enable server A/s:a2',
      'set server A/s state maint',
    ]);
    expect(withoutAlias('s:a2')).toBe('s');
    expect(withoutAlias('demo:401')).toBe('demo:401');
  });

  test('a name that is still draining is not taken again', () => {
    const live = { aliases: new Map(), leaving: new Set(['A/s', 'A/s:a2']) };
    expect(lines(serving({ A: {} }), serving({ A: { s: server(1) } }), live)).toContain(
      'enable server A/s:a3',
    );
  });

  test.each([
    ['structure', serving({}, {}, 'a'), serving({}, {}, 'b')],
    ['a pool', serving({ A: {} }), serving({ A: {}, B: {} })],
    ['a map', serving({}, { x: {} }), serving({}, { y: {} })],
    ['a file', serving({}), { ...serving({}), files: new Map([['cert', 'pem']]) }],
    ['a name to resolve', serving({ A: {} }), serving({ A: { s: { ...server(1), address: 'db.example' } } })],
  ])('%s reloads', (_, from, to) => {
    expect(runtimeDiff(from, to)).toBe('reload');
  });

  test('words are one word to HAProxy, whatever is in them', () => {
    const from = serving({}, { m: {} });
    const to = serving({}, { m: { 'a b;c\\d': 'v' } });
    expect(lines(from, to)).toEqual(['add map m a\\ b\\;c\\\\d v']);
  });

  test('an older worker follows as far as it has the backends', () => {
    const from = serving({ A: { s: server(1) } }, { m: { f: 'A', g: 'A' } });
    const to = serving({ A: {}, B: { t: server(2) } }, { m: { f: 'B', g: 'A', h: 'B' } }, 'other');
    const live = { aliases: new Map(), leaving: new Set<string>() };
    expect(followingCommands(from, to, live).flatMap(commandLines)).toEqual(['set server A/s state maint']);
  });
});

/** A HAProxy's pools and maps as the commands change them; refuses what HAProxy refuses. */
class FakeHaproxy {
  readonly servers = new Map<string, PoolServer>();
  readonly leaving = new Set<string>();
  readonly aliases = new Map<string, string>();
  readonly maps = new Map<string, Map<string, string>>();

  constructor(from: Serving) {
    for (const [pool, servers] of from.pools)
      for (const [name, item] of servers) this.servers.set(serverKey(pool, name), item);
    for (const [name, map] of from.maps) this.maps.set(name, new Map(map));
  }

  apply(command: RuntimeCommand): void {
    switch (command.kind) {
      case 'map-add':
      case 'map-set': {
        const map = this.maps.get(command.map);
        if (map?.has(command.key) !== (command.kind === 'map-set')) throw new Error('map');
        map.set(command.key, command.value);
        return;
      }
      case 'map-del':
        if (this.maps.get(command.map)?.delete(command.key) !== true) throw new Error('map');
        return;
      case 'server-add': {
        const key = serverKey(command.pool, command.as);
        if (this.servers.has(key)) throw new Error('exists');
        this.servers.set(key, command.server);
        const name = serverKey(command.pool, command.name);
        if (command.as === command.name) this.aliases.delete(name);
        else this.aliases.set(name, command.as);
        return;
      }
      case 'server-weight': {
        const key = serverKey(command.pool, command.as);
        const old = this.servers.get(key);
        if (old === undefined) throw new Error('none');
        this.servers.set(key, { ...old, weight: command.weight });
        return;
      }
      case 'server-leave': {
        const key = serverKey(command.pool, command.as);
        if (!this.servers.has(key)) throw new Error('none');
        this.leaving.add(key);
      }
    }
  }

  serves(): Record<string, string[]> {
    const pools: Record<string, string[]> = {};
    for (const [key, item] of this.servers) {
      if (this.leaving.has(key)) continue;
      const [pool = '', name = ''] = key.split('/');
      pools[pool] = [...(pools[pool] ?? []), `${withoutAlias(name)} ${JSON.stringify(item)}`].sort();
    }
    return pools;
  }
}

const anyServer = fc.record({
  address: fc.constant('10.0.0.1'),
  port: fc.integer({ min: 1, max: 3 }),
  weight: fc.integer({ min: 0, max: 2 }),
  keywords: fc.constantFrom('', 'ssl'),
});
const anyServing = fc
  .record({
    A: fc.dictionary(fc.constantFrom('s', 't', 'u'), anyServer),
    B: fc.dictionary(fc.constantFrom('s', 't'), anyServer),
    m: fc.dictionary(fc.constantFrom('f', 'g', 'h'), fc.constantFrom('A', 'B')),
  })
  .map(({ A, B, m }) => serving({ A, B }, { m }));

test('whatever follows what: the commands lead there, and each is one that HAProxy takes', () => {
  fc.assert(
    fc.property(fc.array(anyServing, { minLength: 2, maxLength: 8 }), fc.boolean(), (states, slow) => {
      const haproxy = new FakeHaproxy(states[0]!);
      for (const [index, to] of states.slice(1).entries()) {
        const diff = runtimeDiff(states[index]!, to, haproxy);
        if (diff === 'reload') throw new Error('a reload');
        for (const command of diff) haproxy.apply(command);
        expect(haproxy.serves()).toEqual(new FakeHaproxy(to).serves());
        expect(haproxy.maps).toEqual(to.maps);
        if (slow) continue;
        for (const key of haproxy.leaving) haproxy.servers.delete(key);
        haproxy.leaving.clear();
      }
    }),
  );
});

test("the master's list of processes", () => {
  const text = `#<PID>          <type>          <reloads>       <uptime>        <version>
27411           master          2 [failed: 1]   0d00h00m26s     2.6.12-1+deb12u4
# workers
27413           worker          1               0d00h00m25s     2.6.12-1+deb12u4
# old workers
27000           worker          3               0d00h01m25s     2.6.12-1+deb12u4
# programs
`;
  expect(readProcesses(text)).toEqual({
    pid: 27411,
    reloads: 2,
    failed: 1,
    version: '2.6.12-1+deb12u4',
    worker: { pid: 27413, reloads: 1 },
    old: [27000],
  });
  expect(readProcesses('nonsense')).toBeNull();
});
