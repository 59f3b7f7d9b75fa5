import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compileGlob,
  goMatch,
  type MachineFacts,
  parseUnitFile,
  renderUnit,
  requirements,
  validateUnit,
} from '../../../src/lib/unit/index.ts';
import { refusal } from './support.ts';

const want = (name: string, text: string) => requirements(name, parseUnitFile(text));

describe('[X-Fleet]', () => {
  test.each([
    ['demo@2.service', 'Conflicts=%p@*.service', { conflicts: ['demo@*.service'] }],
    ['a-b@x\\x2dy.service', 'MachineOf=%j-%J-%I-%P%%', { machineOf: ['b-b-x-y-a/b%'] }],
    ['a.service', 'Conflicts=b* \\\n  c*', { conflicts: ['b*', 'c*'] }],
    ['demo@.service', 'MachineID=%i', { machineId: '' }],
    ['a.service', 'MachineMetadata=%z=1', { metadata: { '%z': ['1'] } }],
    ['a.service', 'MachineMetadata=__proto__=1', { metadata: Object.fromEntries([['__proto__', ['1']]]) }],
  ])('%s %s', (name, line, expected) => expect(want(name, `[X-Fleet]\n${line}\n`)).toMatchObject(expected));

  test('takes variables from literal Environment= lines', () => {
    const text = `[Service]
Environment=CONTAINER=old
Environment="CONTAINER=app-%i" 'LIST=a* b*'
[X-Fleet]
Conflicts=\${CONTAINER}*.service $LIST
MachineMetadata=price=$$5
`;
    expect(want('x@7.service', text)).toMatchObject({
      conflicts: ['app-7*.service', 'a*', 'b*'],
      metadata: { price: ['$5'] },
    });
  });

  test.each([
    [
      '[X-Fleet]\nMachineID=%H',
      'specifier-needs-machine',
      2,
      '%H in MachineID of a.service is the host name',
    ],
    ['[Service]\nEnvironment=A=%m\n[X-Fleet]\nMachineOf=$A', 'specifier-needs-machine', 4, '%m'],
    [`[X-Fleet]\nConflicts=\${NOPE}*`, 'unknown-variable', 2, 'NOPE'],
    [
      '[Service]\nEnvironment=A=1\nEnvironment=\n[X-Fleet]\nConflicts=$A',
      'unknown-variable',
      5,
      'variable A',
    ],
    ['[X-Fleet]\nConflicts=${NOPE*', 'bad-variable', 2, '${NOPE*'],
    ['\n[X-Fleet]\nConflict=a', 'unknown-fleet-key', 3, '"Conflict"'],
    ['[X-Fleet]\nMachineID=1\nGlobal=yes', 'bad-requirements', 3, 'MachineID cannot be used with Global'],
    [
      '[X-Fleet]\nMachineOf=a@1.service\nConflicts=%p@*.service',
      'bad-requirements',
      3,
      'unresolvable requirements',
    ],
  ])('refuses %j', (text, code, line, words) => {
    const error = refusal(() => validateUnit('a.service', text, { file: 'f' }));
    expect(error.place).toMatchObject({ unit: 'a.service', file: 'f' });
    expect(error).toMatchObject({ code, place: { line } });
    expect(error.message).toContain(words);
    expect(error.hint).toBeTruthy();
  });

  test.each([
    ['Conflict', 'Conflicts'],
    ['machineof', 'MachineOf'],
    ['X-ConditionGlobal', 'Global'],
    ['X-ConditionMachineId', 'X-ConditionMachineID'],
    ['X-Peers', 'known keys'],
  ])('unknown key %s: hint names %s', (key, hint) =>
    expect(refusal(() => validateUnit('a.service', `[X-Fleet]\n${key}=1`)).hint).toContain(hint),
  );

  test('is checked with the name filled in', () => {
    const text = '[X-Fleet]\nMachineOf=a@1.service\nConflicts=%p@*.service\n';
    expect(validateUnit('b@1.service', text).warnings).toEqual([]);
    expect(refusal(() => validateUnit('a@2.service', text)).code).toBe('bad-requirements');
  });

  test('answers the unit that was checked', () => {
    expect(validateUnit('a.service', '')).toMatchObject({
      name: { full: 'a.service' },
      hash: 'da39a3ee5e6b4b0d3255bfef95601890afd80709',
      requirements: { global: false, machineId: null },
      warnings: [],
    });
    expect(validateUnit('t@.service', '[X-Fleet]\nMachineMetadata=role=%i\n').requirements.metadata).toEqual(
      {},
    );
  });

  test.each([
    ['x=1\n[Unit]\n', 'text before the first'],
    ['[X-Fleet]\nX-ConditionMachineOf=b.service', 'deprecated, write MachineOf'],
    ['[X-Fleet]\nGlobal=maybe', 'neither true nor false'],
    ['[X-Fleet]\nMachineOf=a.service', 'names the unit itself'],
    ['[X-Fleet]\nMachineOf=bar', 'not a unit name'],
    ['[Service]\nExecStart=a \\\n# b\n', 'leaves a comment out'],
    ['[X-Fleet]\nMachineMetadata=web', ':2: MachineMetadata=web is not one key=value'],
    ['[X-Fleet]\nMachineMetadata="a=b" "c"', ':2: MachineMetadata=c is not'],
    ['[X-Fleet]\nConflicts=b a[', ':2: Conflicts: malformed pattern "a["'],
    ['[X-Fleet]\nReplaces=[]a]', ':2: Replaces: malformed pattern "[]a]"'],
  ])('warns about %j', (text, words) =>
    expect(validateUnit('a.service', text).warnings.join()).toContain(words),
  );
});

describe('globs', () => {
  test.each([
    ['a*b*c', 'axbxbc', true],
    ['a*b*c', 'axbxb', false],
    ['*', '', true],
    ['**', 'a.service', true],
    ['*', 'a/b', false],
    ['a?b', 'a/b', false],
    ['a[^b]c', 'a/c', true],
    ['?', '💥', true],
    ['[^a-c]', 'd', true],
    ['[a-c]', 'b', true],
    ['[\\]a]', ']', true],
    ['[!a]', 'a', true],
    ['{a,b}', 'a', false],
    ['a]', 'a]', true],
    ['', '', true],
    ['a*[', 'ab', false],
    ['[-a]', '-', false],
  ])('%j %j %s', (pattern, name, expected) => expect(goMatch(pattern, name)).toBe(expected));

  test.each(['[', '[]', '[a', '[a-', '[a-]', '[^]', 'a\\', '[-x]', '[\\'])('%j is malformed', (pattern) =>
    expect(refusal(() => compileGlob(pattern)).code).toBe('bad-glob'),
  );

  test('agrees with a regular expression', () => {
    const text = (chars: string[]) =>
      fc.array(fc.constantFrom(...chars), { maxLength: 8 }).map((all) => all.join(''));
    fc.assert(
      fc.property(text(['a', 'b', '*', '?', '[ab]', '[^a]']), text(['a', 'b', 'c']), (pattern, name) => {
        const same = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`);
        expect(goMatch(pattern, name)).toBe(same.test(name));
        if (goMatch(pattern, name)) expect(name.startsWith(compileGlob(pattern).literalPrefix)).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('renderUnit', () => {
  const facts: MachineFacts = {
    hostname: 'web1.example.org',
    machineId: '0123',
    bootId: 'ab-cd',
    kernel: '6.1.0',
    architecture: 'x86-64',
    osRelease: { ID: 'debian', VERSION_ID: '12' },
  };

  test('fills in what systemd fills in, and nothing else', () => {
    const text =
      '# %i %H\n[Service]\nExecStart=/x %i %I %f \\\n ; %i\n %H %l %b %m %v %a %o-%w %z %% %\nA=%t %S %U %Y|%B|\n';
    expect(renderUnit(text, 'demo@a-b.service', facts)).toBe(
      '# %i %H\n[Service]\nExecStart=/x a-b a/b /a/b \\\n ; %i\n web1.example.org web1 abcd 0123 6.1.0 x86-64 debian-12 %z % %\nA=/run /var/lib 0 /etc/systemd/system||\n',
    );
  });

  test('knows every specifier of systemd 252', () => {
    const letters = 'aAbBCdEfgGhHiIjJlLmMnNopPqsStTuUvVwWyY';
    const text = `[S]\nA=${[...letters].map((letter) => `%${letter}`).join(' ')}\n`;
    expect(renderUnit(text, 'a-b@c.service', facts)).not.toContain('%');
  });
});

describe('probably not what was meant', () => {
  const warningsOf = (text: string, file = 'a.service') =>
    validateUnit('a.service', text, { file }).warnings.map((line) => line.replace('a.service:', '').trim());

  test.each([
    ['', 'a.service has no options: there is nothing to run'],
    ['# only a comment\n', 'a.service has no options: there is nothing to run'],
    ['[x-fleet]\nGlobal=true\n', '1: section [x-fleet] is ignored; write [X-Fleet]'],
    ['[Fleet]\nGlobal=true\n', '1: section [Fleet] is ignored; write [X-Fleet]'],
    ['[XFleet]\nGlobal=true\n', '1: section [XFleet] is ignored; write [X-Fleet]'],
    ['[service]\nExecStart=/bin/true\n', '1: section [service] is ignored; write [Service]'],
    ['[Services]\nExecStart=/bin/true\n', '1: section [Services] is ignored; write [Service]'],
    [
      '[X-Fleet]\nMachineMetadata=role=web # the front\n',
      '2: MachineMetadata: what follows # belongs to the value; a comment needs its own line',
    ],
    [
      '[Service]\nExecStart=/bin/true\nRestart=always # please\n',
      '3: Restart: what follows # belongs to the value; a comment needs its own line',
    ],
    [
      '[Unit]\nRequires=docker.service\n[Service]\nExecStart=/bin/true\nRestart=always\n',
      'Requires=docker.service stops it with docker.service, and Restart=always does not start it again; Wants=docker.service and After=docker.service let it run on and come back',
    ],
  ])('%j', (text, warning) => {
    expect(warningsOf(text)).toContain(warning);
  });

  test.each([
    '[Service]\nExecStart=/bin/sh -c "echo # x"\n',
    '[Unit]\nDescription=Shop # 1\n[Service]\nExecStart=/bin/true\n',
    '[Service]\nExecStart=/bin/true\n[X-Fleet]\nGlobal=true\n',
    '[Service]\nExecStart=/bin/true\n[X-Docker]\nImage=a\n',
    '[Unit]\nRequires=docker.socket\n[Service]\nExecStart=/bin/true\nRestart=always\n',
    '[Unit]\nRequires=docker.service\n[Service]\nExecStart=/bin/true\n',
    '[Unit]\nWants=docker.service\n[Service]\nExecStart=/bin/true\nRestart=always\n',
  ])('nothing to say of %j', (text) => {
    expect(warningsOf(text)).toEqual([]);
  });
});

test('a comment may be in any encoding, as in systemd; a value may not', () => {
  const latin1 = (text: string) => Buffer.from(text, 'latin1').toString('utf8');
  const good = latin1('# für alle\n[Service]\n; größer\nExecStart=/bin/true\n');
  expect(validateUnit('a.service', good).warnings).toEqual([]);
  expect(() => validateUnit('a.service', latin1('[Service]\nExecStart=/bin/für\n'))).toThrow('line 2');
});
