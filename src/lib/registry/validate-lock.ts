import type { Lock } from '../rollout/index.ts';

type Fields = Readonly<Record<string, unknown>>;

/** @throws Error whose message names the field that is wrong. */
export function readLock(value: string): Lock {
  const of = fields(parsed(value), 'lock');
  if (of.v !== 1) throw new Error(`version ${JSON.stringify(of.v)} is not one this program knows (1)`);
  if (typeof of.max !== 'number' || !Number.isInteger(of.max) || of.max < 0)
    throw new Error('"max" is no number from 0');
  for (const [machine, holder] of Object.entries(fields(of.holders, '"holders"'))) {
    const one = fields(holder, `holder ${machine}`);
    for (const name of ['rollout', 'since', 'bootId'])
      if (typeof one[name] !== 'string') throw new Error(`"${name}" of holder ${machine} is not a text`);
  }
  return of as unknown as Lock;
}

function parsed(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    throw new Error('the value is not JSON');
  }
}

function fields(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${what} is not an object`);
  return value as Fields;
}
