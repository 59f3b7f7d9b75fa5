import { foldName, isObject } from './fields.ts';
import type { JsonObject } from './model.ts';

/** As Go's encoder writes it, which is what vulcand stores: one line, ended by a newline. */
export function encode(value: object): string {
  return `${JSON.stringify(value)}\n`;
}

/**
 * `next` with the fields of `previous` that it does not know, so that other programs' fields survive our writes. A known
 * field in another case is dropped: Go would read it as the same field.
 */
export function keepUnknown(previous: JsonObject | null, next: JsonObject): JsonObject {
  if (previous === null) return next;
  const out: Record<string, unknown> = { ...next };
  const own = new Map(Object.keys(next).map((name) => [foldName(name), name]));
  for (const [name, old] of Object.entries(previous)) {
    const known = own.get(foldName(name));
    const ours = known === undefined ? undefined : out[known];
    if (known === undefined || ours === undefined) out[name] = old;
    else if (isObject(ours) && isObject(old)) out[known] = keepUnknown(old, ours);
  }
  return out;
}
