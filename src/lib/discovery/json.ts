import { isObject } from '../traffic/index.ts';

/** Does `stored` say all that `wanted` says, whatever else it says? Written in any order. */
export function says(stored: unknown, wanted: unknown): boolean {
  if (isObject(wanted))
    return isObject(stored) && Object.entries(wanted).every(([name, value]) => says(stored[name], value));
  if (Array.isArray(wanted))
    return (
      Array.isArray(stored) &&
      stored.length === wanted.length &&
      wanted.every((item, index) => says(stored[index], item))
    );
  return stored === wanted;
}
