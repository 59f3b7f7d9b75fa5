import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openEmbedded } from '../../../src/lib/store/embedded.ts';
import { workplace } from '../../support/cli.ts';
import {
  at,
  expectRefused,
  named,
  refuses,
  routed,
  ttl,
  url,
  withObjects,
  words,
} from './support/bad-input.ts';

withObjects();

refuses([
  ['an empty id', named(''), 1, /an id is empty/],
  ['an id with a slash', named('a/b'), 1, /"a\/b" is not a frontend id/],
  ['an id with a line end', named('a\nb'), 1, /"a\\nb" is not a frontend id/],
  ['an id with an escape', named('a\u001b[2J'), 1, /"a\\u001b\[2J" is not a frontend id/],
  ['an id of 300 bytes', named('x'.repeat(300)), 1, /"x{40}\.\.\." is not a frontend id/],
  [
    'a backend id with a slash',
    words('backend upsert -id ../../x'),
    1,
    /"\.\.\/\.\.\/x" is not a backend id/,
  ],
  [
    'a server of a backend with a slash',
    words('server upsert -b a/b -id s -url http://a:1'),
    1,
    /"a\/b" is not a backend id/,
  ],
  [
    'a middleware id with a slash',
    words('connlimit upsert -f f1 -id a/b'),
    1,
    /"a\/b" is not a middleware id/,
  ],
  ['the same flag twice', [...named('one'), '-id', 'two'], 64, /--id can only be specified once/],
  ['an id and another one', words('server rm -b app-v1.0 -id s1 s2'), 64, /two are given: "s1" and "s2"/],
  ['two names of a host', words('host rm --name a.test b.test'), 64, /"a\.test" and "b\.test"/],
  ['an argument too many', words('frontend upsert f1 -b app-v2.0'), 64, /Unexpected argument: f1/],

  ['a ttl of garbage', ttl('soon'), 1, /--ttl "soon" is not a duration/],
  ['a ttl without its unit', ttl('5'), 1, /--ttl "5" is not a duration/],
  ['a negative ttl', ttl('-5s'), 1, /--ttl "-5s"/],
  ['a negative ttl after =', [...url('http://a:80'), '--ttl=-5s'], 1, /--ttl "-5s"/],
  ['a ttl below a second', ttl('500ms'), 1, /--ttl 500ms is less than 1s/],
  ['an empty ttl', ttl(''), 1, /--ttl ""/],
  ['a ttl of centuries', ttl('9999999h'), 1, /9999999h/],
  [
    'a time-out that Go cannot count',
    words('backend upsert -id new -readTimeout 99999999h'),
    1,
    /--read-timeout "99999999h"/,
  ],

  ['a severity of junk', words('log set_severity -s loud'), 1, /"loud"/],
  ['an unknown flag', words('frontend upsert -id f1 --bakend x'), 64, /--bakend[\s\S]*--backend/],
  ['an unknown command', words('frontend upsrt -id f1'), 64, /upsrt[\s\S]*cluster frontend upsert/],
  ['a flag without its value', words('backend rm --id'), 64, /--id expects a value/],
  [
    'a gateway that listens on junk',
    words('gateway --listen junk --run-dir run --state-dir state'),
    1,
    /--listen "junk"/,
  ],
  [
    'a gateway with an admin of junk',
    words('gateway --admin junk --run-dir run --state-dir state'),
    1,
    /'junk' is not HOST:PORT/,
  ],
  [
    'a gateway with a seal key of junk',
    words('gateway --seal-key zz --run-dir run --state-dir state'),
    1,
    /seal key is not 64/,
  ],
]);

test.each([
  ['frontend', words('frontend upsert -id f1 -b nope'), 1, 'not-found'],
  ['url', url('ftp://a'), 1, 'bad-url'],
  ['ttl', ttl('500ms'), 1, 'bad-ttl'],
  ['flag', words('server upsert -b app-v1.0 -id s1 -weight x'), 64, 'usage'],
  ['unknown flag', words('frontend upsert -idd x'), 64, 'unknown-flag'],
])('with --json the error is JSON on stdout: %s', async (_, args, code, name) => {
  const ran = await at.run(...args, '--json');
  expect(ran).toMatchObject({ code, stderr: '' });
  expect(JSON.parse(ran.stdout)).toEqual({
    error: expect.objectContaining({
      code: name,
      message: expect.stringMatching(/./),
      hint: expect.stringMatching(/./),
    }),
  });
});

test('the embedded store refuses alike', async () => {
  const own = await workplace();
  expect(await own.run('backend', 'upsert', '-id', 'app-v1.0')).toMatchObject({ code: 0 });
  const store = await openEmbedded(join(own.dir, 'store'));
  const { entries } = await store.range('');
  for (const [args, code, said] of [
    [words('frontend upsert -id new -b nope -route Path("/")'), 1, /no backend nope/],
    [routed('Path('), 1, /valid route/],
    [named('a/b'), 1, /"a\/b"/],
    [ttl('-1s'), 1, /--ttl "-1s"/],
    [url('http://a:0'), 1, /http:\/\/a:0/],
  ] as const)
    expectRefused(await own.run(...args), code, said);
  expect((await store.range('')).entries).toEqual(entries);
  await store.close();
  await own.remove();
});
