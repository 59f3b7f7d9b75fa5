import { isObject } from './fields.ts';
import type { JsonObject } from './model.ts';

/** As Go's encoder writes it, which is what vulcand stores: one line, ended by a newline. */
export function encode(value: object): string {
  return `${JSON.stringify(value)}\n`;
}

/** `next` with the fields of `previous` that it does not know, so that other programs' fields survive our writes. */
export function keepUnknown(previous: JsonObject | null, next: JsonObject): JsonObject {
  if (previous === null) return next;
  const out: Record<string, unknown> = { ...next };
  for (const [name, old] of Object.entries(previous)) {
    const ours = next[name];
    if (ours === undefined) out[name] = old;
    else if (isObject(ours) && isObject(old)) out[name] = keepUnknown(old, ours);
  }
  return out;
}
