import { execFile } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import table from '../../scripts/rooms.json' with { type: 'json' };

interface Room {
  readonly path?: string;
  readonly may: readonly string[];
  readonly types?: readonly string[];
  readonly pure?: readonly string[];
}

interface Cruised {
  readonly modules: readonly {
    readonly source: string;
    readonly dependencies: readonly {
      readonly resolved: string;
      readonly dependencyTypes: readonly string[];
    }[];
  }[];
  readonly summary: {
    readonly violations: readonly {
      readonly from: string;
      readonly to: string;
      readonly rule: { readonly name: string; readonly severity: string };
    }[];
  };
}

const ROOT = join(import.meta.dirname, '..', '..');
const ROOMS: Readonly<Record<string, Room>> = table.rooms;
const pathOf = (name: string): string => ROOMS[name]?.path ?? `src/lib/${name}/`;
const folders = Object.keys(ROOMS).filter((name) => pathOf(name).endsWith('/'));

/** The room of a file: the innermost that it lies in. */
function roomOf(file: string): string | undefined {
  return Object.keys(ROOMS)
    .filter((name) => (pathOf(name).endsWith('/') ? file.startsWith(pathOf(name)) : file === pathOf(name)))
    .sort((a, b) => pathOf(b).length - pathOf(a).length)[0];
}

/** The import that somebody in a hurry would write, and the rule that must refuse it. */
const TEMPTING: readonly (readonly [from: string, imports: string, rule: string])[] = [
  // The two that an earlier check let pass.
  ['src/lib/machine', 'src/lib/ui/format.ts', 'machine-arrows'],
  ['src/lib/store', 'src/lib/control/traffic/objects.ts', 'store-arrows'],

  ['src/lib/unit', 'src/lib/config/index.ts', 'unit-arrows'],
  ['src/lib/unit', 'node:fs', 'unit-is-pure'],
  ['src/lib/route', 'src/lib/traffic/model.ts', 'route-arrows'],
  ['src/lib/route', 'node:net', 'route-is-pure'],
  ['src/lib/traffic', 'src/lib/store/port.ts', 'traffic-arrows'],
  ['src/lib/traffic', 'node:dns', 'traffic-is-pure'],
  ['src/lib/plan', 'src/lib/registry/index.ts', 'plan-arrows'],
  ['src/lib/plan', 'node:timers', 'plan-is-pure'],
  ['src/lib/plan/rules', 'src/lib/plan/prefer/index.ts', 'plan/rules-arrows'],
  ['src/lib/plan/rules', 'node:process', 'plan/rules-is-pure'],
  ['src/lib/plan/prefer', 'src/lib/registry/index.ts', 'plan/prefer-arrows'],
  ['src/lib/plan/prefer', 'node:crypto', 'plan/prefer-is-pure'],
  ['src/lib/store', 'src/lib/machine/index.ts', 'store-arrows'],
  ['src/lib/store', 'src/lib/config/index.ts', 'store-arrows'],
  ['src/lib/registry', 'src/lib/machine/index.ts', 'registry-arrows'],
  ['src/lib/registry', 'src/lib/machine/port.ts', 'registry-types-only'],
  ['src/lib/registry', 'src/lib/control/session.ts', 'registry-arrows'],
  ['src/lib/keep', 'src/lib/discovery/index.ts', 'keep-arrows'],
  ['src/lib/keep', 'src/lib/store/etcd.ts', 'keep-types-only'],
  ['src/lib/config', 'src/lib/store/open.ts', 'config-arrows'],
  ['src/lib/machine', 'src/lib/store/port.ts', 'machine-arrows'],
  ['src/lib/machine/ssh', 'src/lib/machine/systemd/names.ts', 'machine/ssh-arrows'],
  ['src/lib/machine/systemd', 'src/lib/machine/ssh/dial.ts', 'machine/systemd-arrows'],
  ['src/lib/machine/systemd', 'src/lib/machine/index.ts', 'machine/systemd-types-only'],
  ['src/lib/machine/files', 'src/lib/machine/ssh/session.ts', 'machine/files-arrows'],
  ['src/lib/machine/held', 'src/lib/control/session.ts', 'machine/held-arrows'],
  ['src/lib/control', 'src/lib/control/units/converge.ts', 'control-arrows'],
  ['src/lib/control', 'src/lib/plan/index.ts', 'control-types-only'],
  ['src/lib/control/units', 'src/lib/control/traffic/frontend.ts', 'control/units-arrows'],
  ['src/lib/control/units', 'src/lib/control/machines/install.ts', 'control/units-arrows'],
  ['src/lib/control/units', 'src/lib/ui/format.ts', 'control/units-arrows'],
  ['src/lib/control/machines', 'src/lib/control/traffic/gateways.ts', 'control/machines-arrows'],
  ['src/lib/control/machines', 'src/lib/registry/index.ts', 'control/machines-types-only'],
  ['src/lib/control/traffic', 'src/lib/control/units/converge.ts', 'control/traffic-arrows'],
  ['src/lib/control/traffic', 'src/lib/control/session.ts', 'control/traffic-types-only'],
  ['src/lib/control/traffic', 'src/lib/gateway/haproxy/translate/translate.ts', 'control/traffic-arrows'],
  ['src/lib/discovery', 'src/lib/gateway/model.ts', 'discovery-arrows'],
  ['src/lib/discovery/offers', 'src/lib/discovery/registrator.ts', 'discovery/offers-arrows'],
  ['src/lib/discovery/offers', 'node:http', 'discovery/offers-is-pure'],
  ['src/lib/discovery/containers', 'src/lib/registry/index.ts', 'discovery/containers-arrows'],
  ['src/lib/discovery/containers', 'src/lib/discovery/offers/offer.ts', 'discovery/containers-types-only'],
  ['src/lib/gateway', 'src/lib/gateway/haproxy/process/supervisor.ts', 'gateway-arrows'],
  ['src/lib/gateway', 'src/lib/discovery/index.ts', 'gateway-arrows'],
  ['src/lib/gateway', 'src/lib/store/open.ts', 'gateway-types-only'],
  ['src/lib/gateway/haproxy', 'src/lib/registry/index.ts', 'gateway/haproxy-arrows'],
  ['src/lib/gateway/haproxy', 'src/lib/traffic/index.ts', 'gateway/haproxy-types-only'],
  ['src/lib/gateway/haproxy/translate', 'src/lib/registry/index.ts', 'gateway/haproxy/translate-arrows'],
  ['src/lib/gateway/haproxy/translate', 'src/lib/gateway/serve.ts', 'gateway/haproxy/translate-types-only'],
  ['src/lib/gateway/haproxy/translate', 'node:fs', 'gateway/haproxy/translate-is-pure'],
  ['src/lib/gateway/haproxy/regexp', 'src/lib/gateway/model.ts', 'gateway/haproxy/regexp-arrows'],
  ['src/lib/gateway/haproxy/regexp', 'node:child_process', 'gateway/haproxy/regexp-is-pure'],
  ['src/lib/lab/real', 'src/lib/machine/index.ts', 'lab/real-arrows'],
  ['src/lib/lab/hollow', 'src/lib/lab/real/index.ts', 'lab/hollow-arrows'],
  ['src/lib/ui', 'src/lib/store/open.ts', 'ui-arrows'],
  ['src/lib/ui', 'src/lib/control/session.ts', 'ui-types-only'],
  ['src/lib/ui', 'src/commands/version.ts', 'ui-arrows'],
  ['src/cli', 'src/lib/machine/index.ts', 'cli-arrows'],
  ['src/commands', 'src/lib/store/etcd.ts', 'commands-arrows'],
  ['src/commands', 'src/lib/machine/index.ts', 'commands-arrows'],
  ['src/lib', 'src/lib/unit/index.ts', 'every-file-has-a-room'],
  ['src/lib/nowhere', 'src/lib/unit/index.ts', 'every-file-has-a-room'],
];

let copy: string;
let cruised: Cruised;
/** What was planted: the file, what it imports, and the rule that must refuse it. */
const planted: { file: string; imports: string; rule: string }[] = [];
const isPlanted = (file: string): boolean => basename(file).startsWith('planted-');

/** Writes a file into the copy that imports another one, or a module of Node. */
function plant(folder: string, imports: string, rule: string): void {
  const file = join(folder, `planted-${planted.length}.ts`);
  const specifier = imports.startsWith('src/') ? relativeTo(folder, imports) : imports;
  mkdirSync(join(copy, folder), { recursive: true });
  writeFileSync(join(copy, file), `import * as all from '${specifier}';\nexport { all };\n`);
  planted.push({ file, imports, rule });
}

function relativeTo(folder: string, file: string): string {
  const way = relative(folder, file);
  return way.startsWith('.') ? way : `./${way}`;
}

/** Every arrow from folder to folder that the table does not have, whether anybody is tempted or not. */
function plantTheRest(): void {
  for (const from of folders)
    for (const to of folders) {
      const { may, types = [] } = ROOMS[from] as Room;
      const allowed = [...may, ...types];
      if (from === to || allowed.includes(to)) continue;
      // Some rooms have one file that may be imported.
      const file = readdirSync(join(copy, pathOf(to))).find(
        (name) => name.endsWith('.ts') && !isPlanted(name) && !allowed.includes(`${to}/${name}`),
      );
      if (file !== undefined) plant(pathOf(from), join(pathOf(to), file), `${from}-arrows`);
    }
}

/** Two files that import each other's types. */
function plantCircle(): void {
  for (const [one, other] of [
    ['one', 'other'],
    ['other', 'one'],
  ])
    writeFileSync(
      join(copy, `src/lib/unit/planted-${one}.ts`),
      `import type { T } from './planted-${other}.ts';\nexport type { T };\n`,
    );
}

beforeAll(async () => {
  copy = mkdtempSync(join(tmpdir(), 'cluster-layers-'));
  for (const name of [
    'src',
    'scripts/rooms.json',
    '.dependency-cruiser.cjs',
    'tsconfig.json',
    'package.json',
  ])
    cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  for (const [from, imports, rule] of TEMPTING) plant(from, imports, rule);

  plantTheRest();
  plantCircle();
  const depcruise = join(ROOT, 'node_modules', '.bin', 'depcruise');
  cruised = JSON.parse(
    await new Promise((resolve, reject) => {
      const args = ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'src'];
      execFile(depcruise, args, { cwd: copy, maxBuffer: 1 << 28 }, (error, stdout, stderr) =>
        stdout === '' ? reject(error ?? new Error(stderr)) : resolve(stdout),
      );
    }),
  ) as Cruised;
}, 120_000);

afterAll(() => rmSync(copy, { recursive: true, force: true }));

test.each(TEMPTING)('%s may not import %s', (from, imports, rule) => {
  const one = planted.find((item) => dirname(item.file) === from && item.imports === imports);
  const rules = cruised.summary.violations
    .filter((item) => item.from === one?.file)
    .map((item) => item.rule.name);
  expect(rules).toContain(rule);
});

test('no room may import what the table does not allow', () => {
  expect(planted.length).toBeGreaterThan(500);
  const missed = planted.filter(
    ({ file, rule }) =>
      !cruised.summary.violations.some((item) => item.from === file && item.rule.name === rule),
  );
  expect(missed).toEqual([]);
});

test('a circle of types is refused', () => {
  expect(cruised.summary.violations).toContainEqual(
    expect.objectContaining({
      from: expect.stringMatching(/planted-(one|other)\.ts$/),
      rule: expect.objectContaining({ name: 'no-circles' }),
    }),
  );
});

test('what was not planted is not refused', () => {
  const others = cruised.summary.violations.filter(
    ({ from, rule }) => !isPlanted(from) && rule.severity === 'error',
  );
  expect(others.map(({ from, to, rule }) => `${rule.name}: ${from} -> ${to}`)).toEqual([]);
});

describe('the table of rooms', () => {
  test('each room is there, and each permission is used', () => {
    const unused = Object.entries(ROOMS).flatMap(([name, { may, types = [] }]) => {
      const mine = cruised.modules.filter(({ source }) => roomOf(source) === name && !isPlanted(source));
      if (mine.length === 0) return [name];
      const used = new Set(
        mine.flatMap(({ dependencies }) =>
          dependencies.flatMap(({ resolved }) => [roomOf(resolved), resolved.replace('src/lib/', '')]),
        ),
      );
      return [...may, ...types].filter((item) => !used.has(item)).map((item) => `${name} -> ${item}`);
    });
    expect(unused).toEqual([]);
  });

  test('is the one in ARCHITECTURE.md', () => {
    const text = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
    const [, rows = ''] =
      /\| room \| may import \| types only \|\n\| --- \| --- \| --- \|\n((?:\|.*\n)+)/.exec(text) ?? [];
    const list = (names: readonly string[] = []) => names.map((item) => `\`${item}\``).join(', ');
    const expected = Object.entries(ROOMS).map(([name, { may, types, pure }]) =>
      `| \`${name}\`${pure ? ' (pure)' : ''} | ${list(may)} | ${list(types)} |`
        .replaceAll('|  |', '| |')
        .replaceAll('|  |', '| |'),
    );
    expect(rows.trimEnd().split('\n')).toEqual(expected);
  });
});

test('a pure room reads no clock, no random number and no environment', () => {
  const impure =
    /\b(?:Date\.now|new Date\(\)|performance\.|Math\.random|process\.|setTimeout|setInterval|await )/;
  const found = cruised.modules.flatMap(({ source }) => {
    const room = roomOf(source);
    if (room === undefined || ROOMS[room]?.pure === undefined || !source.startsWith('src/')) return [];
    const code = readFileSync(join(copy, source), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    const [word] = impure.exec(code) ?? [];
    return word === undefined ? [] : [`${source}: ${word}`];
  });
  expect(found).toEqual([]);
});
