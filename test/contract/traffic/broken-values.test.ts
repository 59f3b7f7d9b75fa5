import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Workplace, workplace } from '../../support/cli.ts';
import { etcd, keys, put, withObjects, words } from './support/bad-input.ts';

withObjects();

describe('values that others wrote', () => {
  const prefix = '/others';
  let other: Workplace;
  const key = (path: string): string => `${prefix}/${path}`;
  const good = '{"Type":"http","BackendId":"good","Route":"Host(`good`)"}';
  beforeAll(async () => {
    other = await workplace({ CLUSTER_ENDPOINT: etcd.endpoint, CLUSTER_TRAFFIC_PREFIX: prefix });
    put(key('backends/good/backend'), '{"Type":"http"}');
    put(key('backends/good/servers/s'), '{"URL":"http://127.0.0.1:9001"}');
    put(key('frontends/good/frontend'), good);
    put(key('frontends/lost/frontend'), good.replaceAll('good', 'lost'));
    put(key('backends/broken/backend'), '{oops');
    put(key('backends/typed/backend'), '{"Type":"http","Settings":{"Timeouts":{"Read":5}}}');
    put(key('backends/good/servers/broken'), '[]');
    put(key('backends/good/servers/evil'), JSON.stringify({ URL: 'http://a:1\n  server x' }));
    put(key('frontends/broken/frontend'), 'null');
    put(
      key('frontends/huge/frontend'),
      JSON.stringify({ Type: 'http', BackendId: 'good', Route: `Path("${'x'.repeat(100_000)}")` }),
    );
    put(key('frontends/good/middlewares/broken'), '{"Type":"ratelimit","Middleware":"x"}');
    put(key('hosts/broken/host'), '{"Settings":{"KeyPair":7}}');
    put(key('listeners/broken'), '{"Protocol":"http","Address":{"Network":"tcp","Address":":70000"}}');
  });
  afterAll(() => other.remove());

  const BROKEN = [
    'backends/broken/backend',
    'backends/typed/backend',
    'backends/good/servers/broken',
    'backends/good/servers/evil',
  ];
  BROKEN.push('frontends/broken/frontend', 'frontends/huge/frontend', 'frontends/good/middlewares/broken');
  BROKEN.push('hosts/broken/host', 'listeners/broken');

  test.each([
    ['backend ls', /^good/m],
    ['backend show good', /^s +http:/m],
    ['server ls -b good', /^s +http:/m],
    ['server show -b good s', /^s +http:/m],
    ['frontend ls', /^good[\s\S]*^lost/m],
    ['frontend show good', /^good/m],
    ['frontend match http://good/', /^good -> good/],
    ['host ls', /Name/],
    ['listener ls', /Id/],
    ['top -refresh 0', /^good/m],
  ])('%s names each broken key and goes on', async (line, shown) => {
    const ran = await other.run(...words(line));
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringMatching(shown) });
    for (const path of BROKEN) expect(ran.stderr).toContain(key(path));
    expect(ran.stderr).toMatch(/^(WARNING: [^\p{Cc}]{1,600}\n)+$/u);
  });

  test.each([
    ['backend show broken', /backend broken does not read well/],
    ['backend show typed', /Timeouts\.Read is not a string/],
    ['server show -b good evil', /not valid/],
    ['frontend show huge', /too many/],
    ['host show broken', /KeyPair is not a string/],
    ['listener show broken', /":70000"/],
    ['frontend upsert -id lost -b broken', /backend broken does not read well/],
    ['frontend upsert -id broken -b good', /what is stored as broken does not read well/],
  ])('%s is refused with what is wrong', async (line, said) => {
    const before = keys();
    const { stderr, code } = await other.run(...words(line));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Error: [^\n]+\n {2}try: [^\n]+\n$/m);
    expect(stderr.slice(stderr.indexOf('Error:'))).toMatch(said);
    expect(keys()).toEqual(before);
  });

  test('a dangling frontend is said where it is looked at', async () => {
    const dangling = 'frontend lost: backend lost does not exist: requests get 503';
    for (const line of ['frontend ls', 'frontend show lost'])
      expect((await other.run(...words(line))).stderr).toContain(dangling);
    const match = await other.run('frontend', 'match', 'http://lost/');
    expect(match).toMatchObject({ code: 0, stdout: expect.stringContaining('lost -> lost') });
    expect(match.stderr).toContain('backend lost has no server: the answer is 503');
  });

  test('an upsert writes over a broken value, and rm takes one away', async () => {
    for (const [args, path] of [
      [words('backend upsert -id broken'), 'backends/broken/backend'],
      [words('backend upsert -id typed -readTimeout 5s'), 'backends/typed/backend'],
      [words('server upsert -b good -id evil -url http://a:1'), 'backends/good/servers/evil'],
      [words('frontend upsert -id huge -b good -route Path("/h")'), 'frontends/huge/frontend'],
      [words('ratelimit upsert -f good -id broken -requests 3'), 'frontends/good/middlewares/broken'],
      [words('host upsert -name broken -default'), 'hosts/broken/host'],
      [words('listener upsert -id broken -addr :8080'), 'listeners/broken'],
    ] as const) {
      expect(await other.run(...args), args.join(' ')).toMatchObject({ code: 0 });
      expect((await other.run('backend', 'ls')).stderr, path).not.toContain(key(path));
    }
    expect(await other.run('frontend', 'rm', 'broken')).toMatchObject({ code: 0 });
    expect(await other.run('server', 'rm', '-b', 'good', 'broken')).toMatchObject({ code: 0 });
    expect(await other.run('backend', 'ls')).toMatchObject({ code: 0, stderr: '' });
  });
});
