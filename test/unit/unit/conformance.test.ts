import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ClusterError } from '../../../src/lib/error.ts';
import * as unit from '../../../src/lib/unit/index.ts';

interface Case {
  readonly id: string;
  readonly title: string;
  readonly given: Record<string, unknown>;
  readonly when: { readonly op: string };
  readonly expect: Record<string, unknown>;
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../conformance/${name}`, import.meta.url), 'utf8'));
const cases = read('fleet.json') as Case[];
const differences = read('differences-unit.json') as Record<string, string>;

const judge = (run: () => unknown): Record<string, unknown> => {
  try {
    run();
    return { valid: true };
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    return { valid: false, error: error.message };
  }
};

const contents = (file: unit.UnitFile): Record<string, Record<string, string[]>> => {
  const all: Record<string, Record<string, string[]>> = {};
  for (const { section, key, value } of file.options) {
    all[section] ??= {};
    all[section][key] ??= [];
    const list = all[section][key];
    list.push(...(section === 'X-Fleet' ? unit.parseMultivalue(value) : [value]));
  }
  return all;
};

const text = (given: Case['given'], key = 'text'): string => String(given[key] ?? '');

const ops: Record<string, (given: Case['given']) => Record<string, unknown>> = {
  parse_unit: (given) => {
    const result = judge(() => unit.parseUnitFile(text(given)));
    if (result.valid !== true) return result;
    const file = unit.parseUnitFile(text(given));
    return {
      valid: true,
      contents: contents(file),
      canonical: unit.canonicalText(file),
      description: unit.values(file, 'Unit', 'Description')[0] ?? '',
    };
  },
  hash: (given) => {
    const hash = unit.unitHash(text(given));
    return { hash, short: unit.shortHash(hash) };
  },
  same_hash: (given) => {
    const [a, b] = given.units as { text: string }[];
    return { same: unit.unitHash(a!.text) === unit.unitHash(b!.text) };
  },
  multivalue: (given) => ({ values: unit.parseMultivalue(text(given, 'line')) }),
  requirements: (given) => ({
    requirements: unit.rawRequirements(text(given, 'name'), unit.parseUnitFile(text(given))),
  }),
  xfleet: (given) => {
    const file = unit.parseUnitFile(text(given));
    const found = unit.requirements(text(given, 'name'), file);
    return {
      machine_of: found.machineOf,
      conflicts: found.conflicts,
      replaces: found.replaces,
      machine_id: found.machineId,
      metadata: found.metadata,
      global: found.global,
      known_keys: unit.unknownFleetKeys(file).length === 0,
    };
  },
  validate_unit: (given) => judge(() => unit.validateUnit('unit.service', text(given))),
  validate_name: (given) => judge(() => unit.parseUnitName(text(given, 'name'))),
  name_info: (given) => {
    const info = unit.splitUnitName(text(given, 'name'));
    if (info === null) return { info };
    const { name, prefix, template, instance, isInstance, isTemplate } = info;
    return {
      info: {
        name,
        prefix,
        template: template ?? '',
        instance: instance ?? '',
        is_instance: isInstance,
        is_template: isTemplate,
      },
    };
  },
  mangle: (given) => ({ name: unit.mangle(text(given, 'arg')) }),
  has_metadata: (given) => ({
    match: unit.matchMetadata(
      given.required as Record<string, string[]>,
      given.machine_metadata as Record<string, string>,
    ),
  }),
  parse_machine_metadata: (given) => ({ metadata: unit.parseMetadata(text(given, 'raw')) }),
  match_machine_id: (given) => {
    const { id } = given.machine as { id: string };
    return { match: unit.matchMachineId(id, text(given, 'id')), short: unit.shortMachineId(id) };
  },
  glob: (given) => ({ match: unit.goMatch(text(given, 'pattern'), text(given, 'name')) }),
};

const mine = cases.filter(({ when }) => when.op in ops);

const check = (one: Case): void => {
  const result = ops[one.when.op]!(one.given);
  const { error, quirk: _, ...expected } = one.expect;
  expect(result).toMatchObject(expected);
  for (const [key, value] of Object.entries(expected)) expect(result[key]).toEqual(value);
  if (typeof error === 'string')
    expect(String(result.error).startsWith(error), String(result.error)).toBe(true);
};

describe("fleet's conformance cases", () => {
  test('has cases to run', () => expect(mine.length).toBeGreaterThan(100));

  test.each(mine.filter(({ id }) => !(id in differences)).map((one) => [one.id, one.title, one] as const))(
    '%s %s',
    (_id, _title, one) => check(one),
  );

  test.each(Object.keys(differences))('%s is answered differently, and still is', (id) => {
    const one = mine.find((candidate) => candidate.id === id);
    expect(one).toBeDefined();
    expect(() => check(one!)).toThrow();
  });
});
