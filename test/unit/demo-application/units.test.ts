import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { validateUnit } from '../../../src/lib/unit/index.ts';
import { EXAMPLES } from './support.ts';

describe('the unit files of the examples', () => {
  const files = ['demo-application', 'announce', 'units'].flatMap((directory) =>
    readdirSync(join(EXAMPLES, directory))
      .filter((name) => name.endsWith('.service'))
      .map((name) => join(directory, name)),
  );
  const read = (file = ''): string => readFileSync(join(EXAMPLES, file), 'utf8');

  test.each(files)('%s is right', (file) => {
    expect(validateUnit(basename(file), read(file), { file }).warnings).toEqual([]);
  });

  test('the two versions differ in their version only', () => {
    const [one, two] = files.filter((file) => file.includes('demo-application-v'));
    const old = read(one);
    expect(old).toContain('0.1.0');
    expect(old.replaceAll('0.1.0', '0.2.0')).toBe(read(two));
  });
});
