import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { announcesOf, parseUnitFile } from '../../../src/lib/unit/index.ts';

const facts = { hostname: 'one.example.com', machineId: '0123456789abcdef0123456789abcdef' };
const of = (unit: string, text: string) => {
  const { containers, services, servers } = announcesOf(unit, parseUnitFile(text), facts);
  return [[...containers], [...services], [...servers]];
};
const example = (name: string) => readFileSync(`examples/${name}`, 'utf8');

test.each([
  ['--name=web-%i', 'web-1'],
  ['--name web-%i', 'web-1'],
  ['--rm --name "web-%i" -P', 'web-1'],
  ["--name='%p.%i'", 'web.1'],
  ['--name=%H-%i', 'one.example.com-1'],
  ['--name=%l-%i', 'one-1'],
  ['--name=$NAME-%i', 'shop-1'],
  [`--name=\${NAME}-%i`, 'shop-1'],
  [`--name=\${UNKNOWN}-%i`, `\${UNKNOWN}-1`],
])('a container is named by %s', (words, name) => {
  const text = `[Service]\nEnvironment=NAME=shop\nExecStart=/usr/bin/docker run ${words} image\n`;
  expect(of('web@1.service', text)).toEqual([[name], [], []]);
});

test('a shell command names one as well, and a comment or another option does not', () => {
  const shell = `[Service]\nExecStart=/bin/sh -c 'docker run --name web-%i image'\n`;
  expect(of('web@1.service', shell)).toEqual([['web-1'], [], []]);
  const none = '[Service]\n# --name=web\nExecStart=/usr/bin/x --names=a --hostname b\n';
  expect(of('web@1.service', none)).toEqual([[], [], []]);
});

test.each([
  ['-e SERVICE_ID=web@%i', ['web@1']],
  ['-e "SERVICE_ID=web@%i"', ['web@1']],
  ['-e SERVICE_80_ID=a@%i --env=SERVICE_81_ID=b@%i', ['a@1', 'b@1']],
])('a service is named by %s', (words, ids) => {
  expect(of('web@1.service', `[Service]\nExecStart=/usr/bin/docker run ${words} image\n`)).toEqual([
    [],
    ids,
    [],
  ]);
});

test('the example application names its container and its service', () => {
  const text = example('demo-application/demo-application-v0.1.0@.service');
  expect(of('demo-application-v0.1.0@2.service', text)).toEqual([
    ['demo-application-v0.1.0-2'],
    ['demo-application-v0.1.0@2'],
    [],
  ]);
});

test.each(['web-self@', 'web-self-etcdctl@', 'web-announce@', 'web-announce-etcdctl@'])(
  'the example %s names its server',
  (template) => {
    const text = example(`announce/${template}.service`);
    expect(of(`${template}3.service`, text)).toEqual([[], [], ['web/web-3']]);
  },
);
