import { describe, expect, test } from 'vitest';
import { type Instance, registryEdits, type View } from '../../../src/lib/discovery/offers/edits.ts';
import type { Service } from '../../../src/lib/discovery/offers/model.ts';
import { presenceOf, presencePath } from '../../../src/lib/discovery/offers/presence.ts';
import { type Idle, sweep } from '../../../src/lib/discovery/offers/sweep.ts';
import { keepUnknown, type Stored } from '../../../src/lib/traffic/index.ts';
import { offer } from './support.ts';

const HOSTS = {
  frontend_host_load_balancer: 'web.example.test',
  frontend_host_container: 'one.web.example.test',
};
const NAME = 'web';
const ID = 'web@1';
const SERVER = `backends/${NAME}/servers/${ID}`;
const SHARED = [`backends/${NAME}/backend`, `frontends/${NAME}/frontend`];
const INSTANCE = [`backends/${ID}/backend`, `backends/${ID}/servers/${ID}`, `frontends/${ID}/frontend`];
const PRESENCE = `${NAME}/${ID}`;

const instance = (up: boolean | null = true, of: Partial<Service> = {}): Instance => ({
  offer: offer({ id: ID, name: NAME, attributes: HOSTS, ...of }),
  up,
});

/** A registry in memory: not a store, only what a decision reads and what it would leave behind. */
class Paper {
  revision = 0;
  readonly traffic = new Map<string, Stored>();
  readonly presence = new Map<string, Stored>();
  readonly leaving = new Map<string, Stored>();
  problems: readonly string[] = [];

  put(
    path: string,
    value: object,
    lease: string | null = null,
    area: 'traffic' | 'presence' | 'leaving' = 'traffic',
  ): void {
    this[area].set(path, { value: { ...value }, revision: ++this.revision, lease });
  }

  /** Carries the edits out. @returns `+path` and `-path` for each. */
  announce(instances: readonly Instance[], lease = '1', ownLeases = ['1'], machine = 'm1'): string[] {
    const view: View = {
      machine,
      lease,
      ownLeases: new Set(ownLeases),
      traffic: this.traffic,
      presence: this.presence,
      leaving: this.leaving,
    };
    const { groups, problems } = registryEdits(view, instances);
    this.problems = problems;
    return groups.flat().map(({ area, path, value, lease: on }) => {
      if (value === null) this[area].delete(path);
      else this.put(path, keepUnknown(this[area].get(path)?.value ?? null, value), on, area);
      return `${value === null ? '-' : '+'}${path}${on === null ? '' : ` on ${on}`}`;
    });
  }

  sweep(idle: Idle, now: number): { gone: string[]; idle: Idle } {
    const { edits, idle: next } = sweep(this, idle, now, 60_000);
    for (const { path } of edits) this.traffic.delete(path);
    return { gone: edits.map(({ path }) => path), idle: next };
  }
}

describe('an instance that is about to stop', () => {
  const mark = (paper: Paper, of: Partial<Service> = {}, machine = 'm1'): void => {
    const { container, since } = presenceOf(machine, instance(true, of).offer);
    paper.put(PRESENCE, { v: 1, machine, container, since }, '7', 'leaving');
  };

  test('is no server of its backend any more, and its presence and its own door stay', () => {
    const paper = new Paper();
    paper.announce([instance()]);
    mark(paper);
    expect(paper.announce([instance()])).toEqual([`-${SERVER}`]);
    expect(paper.announce([instance()])).toEqual([]);
  });

  test('is one again when whoever wanted to stop it is gone', () => {
    const paper = new Paper();
    paper.announce([instance()]);
    mark(paper);
    paper.announce([instance()]);
    paper.leaving.clear();
    expect(paper.announce([instance()])).toEqual([`+${SERVER} on 1`]);
  });

  test.each([
    ['another container', { container: 'fedcba9876543210' }],
    ['another start of the same container', { startedAt: '2026-01-02T00:00:00Z' }],
  ])('is not %s', (_, other) => {
    const paper = new Paper();
    paper.announce([instance()]);
    mark(paper);
    paper.announce([instance()]);
    expect(paper.announce([instance(true, other)])).toContain(`+${SERVER} on 1`);
  });

  test.each([
    ['of another machine', { v: 1, machine: 'm2', container: '0123456789ab', since: '2026-01-01T00:00:00Z' }],
    ['of a later version', { v: 2, machine: 'm1', container: '0123456789ab', since: '2026-01-01T00:00:00Z' }],
    ['that is no object of ours', {}],
  ])('is not meant by a mark %s', (_, value) => {
    const paper = new Paper();
    paper.announce([instance()]);
    paper.put(PRESENCE, value, '7', 'leaving');
    expect(paper.announce([instance()])).toEqual([]);
  });
});

describe('one instance', () => {
  test('is written once, and nothing is written while nothing changes', () => {
    const paper = new Paper();
    expect(paper.announce([instance()]).sort()).toEqual(
      [PRESENCE, SERVER, ...INSTANCE]
        .map((path) => `+${path} on 1`)
        .concat(SHARED.map((path) => `+${path}`))
        .sort(),
    );
    expect(paper.announce([instance()])).toEqual([]);
  });

  test('that is sick loses its server and keeps its door, the shared frontend stays', () => {
    const paper = new Paper();
    paper.announce([instance()]);
    expect(paper.announce([instance(false)])).toEqual([`-${SERVER}`]);
    expect(paper.announce([instance(true)])).toEqual([`+${SERVER} on 1`]);
  });

  test('that nobody knows the health of is not announced', () => {
    const paper = new Paper();
    expect(paper.announce([instance(null)])).not.toContain(`+${SERVER} on 1`);
    expect(paper.traffic.has(SHARED[1] ?? '')).toBe(true);
  });

  test('that is gone takes with it all that hung on the lease, and nothing else', () => {
    const paper = new Paper();
    paper.put(`backends/${NAME}/servers/${ID}0`, { URL: 'http://10.0.0.9:80' });
    paper.put(`backends/${NAME}/servers/${ID}1`, { URL: 'http://10.0.0.9:81' }, '99');
    paper.announce([instance()]);
    expect(paper.announce([]).sort()).toEqual(
      [PRESENCE, SERVER, ...INSTANCE].map((path) => `-${path}`).sort(),
    );
    expect([...paper.traffic.keys()].sort()).toEqual(
      [...SHARED, `backends/${NAME}/servers/${ID}0`, `backends/${NAME}/servers/${ID}1`].sort(),
    );
  });
});

describe('a new run', () => {
  test('takes over what an earlier one left, with the same values, also what is not checked yet', () => {
    const paper = new Paper();
    paper.announce([instance()]);
    const before = JSON.stringify([...paper.traffic].map(([path, { value }]) => [path, value]));
    const moved = paper.announce([instance(null)], '2', ['1', '2']);
    expect(moved.sort()).toEqual([PRESENCE, SERVER, ...INSTANCE].map((path) => `+${path} on 2`).sort());
    expect(JSON.stringify([...paper.traffic].map(([path, { value }]) => [path, value]))).toBe(before);
  });

  test('does not take over a server at another address that nobody has checked', () => {
    const paper = new Paper();
    paper.announce([instance()]);
    expect(paper.announce([instance(null, { port: 50_000 })], '2', ['1', '2'])).toContain(`-${SERVER}`);
  });

  test('removes what nothing backs any more', () => {
    const paper = new Paper();
    paper.announce([instance()]);
    expect(paper.announce([], '2', ['1', '2'])).toHaveLength(5);
  });
});

describe('what others wrote', () => {
  test('settings and unknown fields on a marked frontend survive a new host name', () => {
    const paper = new Paper();
    paper.announce([instance()]);
    const path = `frontends/${NAME}/frontend`;
    paper.put(path, { ...paper.traffic.get(path)?.value, Settings: { Hostname: 'x' }, Other: 1 });
    expect(paper.announce([instance()])).toEqual([]);
    paper.announce([instance(true, { attributes: { ...HOSTS, frontend_host_load_balancer: 'new.test' } })]);
    expect(paper.traffic.get(path)?.value).toMatchObject({
      Route: 'Host("new.test") && PathRegexp(".*")',
      Settings: { Hostname: 'x' },
      Other: 1,
    });
  });

  test("an operator's own objects on the same ids stay, and it is said", () => {
    const paper = new Paper();
    paper.put(`frontends/${NAME}/frontend`, { Type: 'http', BackendId: 'other', Route: 'Path("/")' });
    paper.put(`backends/${NAME}/backend`, { Type: 'http' });
    paper.put(SERVER, { URL: 'http://10.0.0.9:80' });
    paper.put(`frontends/${ID}/frontend`, { BackendId: 'b' }, '99');
    const written = paper.announce([instance()]);
    for (const path of [...SHARED, SERVER, `frontends/${ID}/frontend`])
      expect(written.some((line) => line.includes(path))).toBe(false);
    expect(paper.problems).toHaveLength(3);
    expect(paper.announce([])).not.toContain(`-${SERVER}`);
  });

  test('a broken value is left alone', () => {
    const paper = new Paper();
    paper.traffic.set(`frontends/${NAME}/frontend`, { value: null, revision: 1, lease: null });
    paper.presence.set('x/y', { value: null, revision: 1, lease: null });
    expect(paper.announce([instance()])).not.toContain(`+frontends/${NAME}/frontend`);
    expect(paper.problems).toHaveLength(1);
  });
});

describe('two machines with the same id', () => {
  const early = (up = true) => instance(up, { startedAt: '2026-01-01T00:00:00Z', port: 1 });
  const late = () => instance(true, { startedAt: '2026-01-02T00:00:00Z', port: 2 });

  test('the later start is announced, also over keys of a dead machine, and the other stands back', () => {
    const paper = new Paper();
    paper.announce([early()], '1', ['1'], 'm1');
    expect(paper.announce([late()], '2', ['2'], 'm2')).toContain(`+${SERVER} on 2`);
    expect(paper.announce([early()], '1', ['1'], 'm1')).toEqual([]);
    expect(paper.problems[0]).toContain('announced by machine m2');
    expect(paper.announce([late()], '2', ['2'], 'm2')).toEqual([]);
    paper.announce([], '2', ['2'], 'm2');
    expect(paper.announce([early()], '1', ['1'], 'm1')).toContain(`+${SERVER} on 1`);
  });

  test('instances that name different hosts do not fight over the shared frontend', () => {
    const paper = new Paper();
    const other = instance(true, {
      id: 'web@2',
      startedAt: '2026-01-02T00:00:00Z',
      attributes: { frontend_host_load_balancer: 'new.test' },
    });
    paper.announce([early()], '1', ['1'], 'm1');
    paper.announce([other], '2', ['2'], 'm2');
    expect(paper.announce([early()], '1', ['1'], 'm1')).toEqual([]);
    expect(paper.traffic.get(`frontends/${NAME}/frontend`)?.value?.Route).toContain('new.test');
  });
});

describe('shared objects', () => {
  const announced = (): Paper => {
    const paper = new Paper();
    paper.announce([instance()]);
    paper.announce([]);
    return paper;
  };

  test('go together when nobody has needed them for the grace time, counted from when it began', () => {
    const paper = announced();
    let { gone, idle } = paper.sweep(new Map(), 1000);
    expect({ gone, since: idle.get(SHARED[1] ?? '') }).toEqual({ gone: [], since: 1000 });
    ({ gone, idle } = paper.sweep(idle, 60_999));
    expect(gone).toEqual([]);
    ({ gone, idle } = paper.sweep(idle, 61_000));
    expect(gone).toEqual([`frontends/${NAME}/frontend`]);
    // Only now has the last frontend gone that pointed at it.
    ({ gone, idle } = paper.sweep(idle, 61_001));
    expect(gone).toEqual([]);
    ({ gone } = paper.sweep(idle, 121_002));
    expect(gone).toEqual([`backends/${NAME}/backend`]);
  });

  test('stay while an instance exists anywhere, sick or not; the time starts anew after that', () => {
    const paper = announced();
    const { idle } = paper.sweep(new Map(), 0);
    const other = instance(false, { id: 'web@2' }).offer;
    paper.put(presencePath(other), presenceOf('m9', other), '99', 'presence');
    expect(paper.sweep(idle, 100_000)).toEqual({ gone: [], idle: new Map() });
  });

  test.each([
    ['a frontend of an operator points at the backend', 'frontends/app/frontend', { BackendId: NAME }],
    ['a server of an operator is in it', `backends/${NAME}/servers/mine`, { URL: 'http://a:1' }],
    ['the frontend has a middleware', `frontends/${NAME}/middlewares/r`, { Type: 'ratelimit' }],
  ])('stay as far as %s', (_, path, value) => {
    const paper = announced();
    paper.put(path, value);
    let idle: Idle = new Map();
    for (const now of [0, 60_000, 120_000, 180_000]) ({ idle } = paper.sweep(idle, now));
    expect(paper.traffic.has(`backends/${NAME}/backend`)).toBe(true);
    expect(paper.traffic.has(`frontends/${NAME}/frontend`)).toBe(path.includes('middlewares'));
    expect(paper.traffic.has(path)).toBe(true);
  });

  test('that an operator gave settings, or that no registrator made, stay', () => {
    const paper = announced();
    const path = `frontends/${NAME}/frontend`;
    paper.put(path, { ...paper.traffic.get(path)?.value, Settings: { PassHostHeader: true } });
    paper.put('frontends/own/frontend', { Type: 'http', BackendId: 'own', Route: 'Path("/")' });
    paper.put('backends/own/backend', { Type: 'http' });
    let idle: Idle = new Map();
    for (const now of [0, 60_000, 120_000, 180_000]) ({ idle } = paper.sweep(idle, now));
    expect(paper.traffic.size).toBe(4);
  });
});

describe('a service without a host name', () => {
  const checked = (up = true) => instance(up, { attributes: { check_http: '/health' } });

  test('has a backend that stays while an instance exists, and no frontend', () => {
    const paper = new Paper();
    expect(paper.announce([checked()]).sort()).toEqual(
      [`+${PRESENCE} on 1`, `+${SERVER} on 1`, `+backends/${NAME}/backend`].sort(),
    );
    paper.announce([checked(false)]);
    let idle: Idle = new Map();
    for (const now of [0, 60_000, 120_000]) ({ idle } = paper.sweep(idle, now));
    expect(paper.traffic.has(`backends/${NAME}/backend`)).toBe(true);
    expect(paper.announce([checked(false)])).toEqual([]);
  });

  test('loses the frontend that it had with a host name', () => {
    const paper = new Paper();
    paper.announce([instance()]);
    paper.announce([checked()]);
    let idle: Idle = new Map();
    for (const now of [0, 60_000]) ({ idle } = paper.sweep(idle, now));
    expect(paper.traffic.has(`frontends/${NAME}/frontend`)).toBe(false);
    expect(paper.traffic.has(`backends/${NAME}/backend`)).toBe(true);
  });
});

describe('the host of another frontend', () => {
  const operators = (Route: string) => ({ Type: 'http', BackendId: 'shop', Route });
  const ROUTE = 'Host("WEB.example.test") && PathRegexp(".*")';

  test.each([
    [ROUTE, 'it gets no request: all of web.example.test goes to frontend shop, which an operator made'],
    ['Host("other.test") || Host("web.example.test")', 'it gets no request'],
    ['Host("web.example.test") && Path("/x")', 'that both match go to frontend shop, which an operator made'],
  ])('%s', (route, problem) => {
    const paper = new Paper();
    paper.put('frontends/shop/frontend', operators(route));
    paper.announce([instance()]);
    expect(paper.problems).toEqual([expect.stringContaining(problem)]);
    expect(paper.problems[0]).toMatch(/^frontend web: /);
  });

  test.each(['Host("xweb.example.test")', 'PathRegexp(".*")', '!Host("web.example.test")', 'Host("'])(
    'is not that of %s',
    (route) => {
      const paper = new Paper();
      paper.put('frontends/shop/frontend', operators(route));
      paper.announce([instance()]);
      expect(paper.problems).toEqual([]);
    },
  );

  test('is shared by two services, while both have servers', () => {
    const paper = new Paper();
    const attributes = { frontend_host_load_balancer: HOSTS.frontend_host_load_balancer };
    const other = (up: boolean) => instance(up, { id: 'app@1', name: 'app', attributes });
    const both = (up: boolean) => [instance(true, { attributes }), other(up)];
    paper.announce(both(true));
    paper.announce(both(true));
    expect(paper.problems).toEqual([expect.stringMatching(/^frontend web: .* as frontend app is/)]);
    paper.announce(both(false));
    paper.announce(both(false));
    expect(paper.problems).toEqual([]);
  });
});
