import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { at, frontend, ODD, refuses, routed, withObjects, words } from './support/bad-input.ts';

withObjects();

refuses([
  [
    'an unknown backend',
    [...words('frontend upsert -id new -b nope -route'), 'Path("/x")'],
    1,
    /no backend nope/,
  ],
  [
    'a slip in a backend',
    words('frontend upsert -id f1 -b app-v1.1'),
    1,
    /app-v1\.1[\s\S]*did you mean app-v\d\.0\?/i,
  ],
  [
    'a route that does not parse',
    routed('Path("/x"'),
    1,
    /route should be a valid.*Path\("\/x".*at character 10/,
  ],
  ['a matcher that is none', routed('Pfad("/x")'), 1, /Pfad/],
  ['a look-ahead', routed('PathRegexp("(?=a)")'), 1, /\(\?=/],
  ['a back reference', routed('PathRegexp("(a)\\\\1")'), 1, /\\1/],
  ['a regexp that is never closed', routed('HostRegexp("(a")'), 1, /missing closing \)/],
  ['an empty route', routed(''), 1, /supply valid route/],
  ['a line end in a route', routed('Path("/a\nb")'), 1, /never closed/],
  ['a terminal’s escape in a route', routed('Path(\u001b[31m)'), 1, /valid route/],
  ['a huge route', routed(`Path("/${'x'.repeat(100_000)}")`), 1, /^.{0,700}100009 characters are too many/],
  ['no route for a new frontend', frontend(), 1, /supply valid {2}route[\s\S]*no frontend new yet/],
  [
    'a failover predicate of garbage',
    words('frontend upsert -id f1 -failoverPredicate x('),
    1,
    /invalid failover predicate/,
  ],
  ['a forwarded host with a blank', [...words('frontend upsert -id f1 -forwardHost'), 'a b'], 1, /Hostname/],
  [
    'a body limit of -1',
    words('frontend upsert -id f1 -maxBodyKB -1'),
    64,
    /--max-body-kb: expected an integer.*-1/,
  ],
  [
    'a body limit beyond numbers',
    words('frontend upsert -id f1 -maxBodyKB 99999999999999999'),
    1,
    /MaxBodyBytes/,
  ],
  ['a time to wait below 0', words('frontend upsert -id f1 --wait-timeout -1s'), 1, /--wait-timeout "-1s"/],

  [
    'a version of two applications',
    words('frontend upsert -b v2.0'),
    1,
    /v2\.0 fits 2 backends: app-v2\.0, two-v2\.0[\s\S]*--id f1 -b app-v2\.0/,
  ],
  [
    'a version of two frontends',
    words('frontend upsert -b shop-v2'),
    1,
    /2 frontends.*shop\.a[\s\S]*--id shop\.b -b shop-v2/,
  ],
  [
    'a backend without a server',
    words('frontend upsert -b app-v3.0'),
    1,
    /app-v3\.0 has no healthy server: f1 stays at app-v1\.0/,
  ],
  ['a rollback of nothing', words('frontend rollback f1'), 1, /no switch of f1/],
  ['a rollback of no name', ['frontend', 'rollback', ''], 1, /frontend id can not be empty/],
  ['a history of nobody', words('frontend history nope'), 1, /no frontend nope/],
  ['a backend in use', words('backend rm app-v1.0'), 1, /'app-v1\.0', it is in use by \[f1\]/],
  ['top of an unknown backend', words('top -b nope -refresh 0'), 1, /no backend nope/],
  [
    'a method that is none',
    ['frontend', 'match', '--method', 'G T', 'http://a/'],
    1,
    /"G T" is not an HTTP method/,
  ],
  ['a header that is none', ['frontend', 'match', '--header', 'x', 'http://a/'], 1, /"x" is not NAME:VALUE/],
  ['a URL to match that is none', words('frontend match nope'), 1, /"nope" is not a URL/],
]);

test('a hint with odd ids can be pasted into a shell', async () => {
  const { stderr } = await at.run('frontend', 'upsert', '-b', `odd${ODD}-v2`);
  const hint = /try: (cluster frontend upsert .*?); or cluster/.exec(stderr)?.[1] ?? '';
  const line = hint.replace(/^cluster/, "printf '%s\\n'");
  const said = execFileSync('sh', ['-c', line], { cwd: at.dir, encoding: 'utf8' });
  expect(said.split('\n')).toEqual(['frontend', 'upsert', '--id', `x${ODD}`, '-b', `odd${ODD}-v2`, '']);
});
