import type { Lock } from '../rollout/index.ts';
import { fields, parsed, version } from './fields.ts';

/** @throws Error whose message names the field that is wrong. */
export function readLock(value: string): Lock {
  const of = fields(parsed(value), 'lock');
  version(of);
  if (typeof of.max !== 'number' || !Number.isInteger(of.max) || of.max < 0)
    throw new Error('"max" is no number from 0');
  for (const [machine, holder] of Object.entries(fields(of.holders, '"holders"'))) {
    const one = fields(holder, `holder ${machine}`);
    for (const name of ['rollout', 'since', 'bootId'])
      if (typeof one[name] !== 'string') throw new Error(`"${name}" of holder ${machine} is not a text`);
  }
  return of as unknown as Lock;
}
