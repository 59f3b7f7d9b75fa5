import type { JsonObject } from '../traffic/index.ts';

/** Is this a JSON object (no array, not null)? */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** null for what is no JSON object. */
export function parseObject(text: string): JsonObject | null {
  try {
    const json: unknown = JSON.parse(text);
    return isJsonObject(json) ? json : null;
  } catch {
    return null;
  }
}

/** Does `stored` say all that `wanted` says, whatever else it says? Written in any order. */
export function says(stored: unknown, wanted: unknown): boolean {
  if (isJsonObject(wanted))
    return isJsonObject(stored) && Object.entries(wanted).every(([name, value]) => says(stored[name], value));
  if (Array.isArray(wanted))
    return (
      Array.isArray(stored) &&
      stored.length === wanted.length &&
      wanted.every((item, index) => says(stored[index], item))
    );
  return stored === wanted;
}
