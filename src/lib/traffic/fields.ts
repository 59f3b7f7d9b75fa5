import type { JsonObject } from './model.ts';

/** Is this a JSON object (no array, not null)? */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** null for what is no JSON object. */
export function parseObject(text: string): JsonObject | null {
  try {
    const json: unknown = JSON.parse(text);
    return isObject(json) ? json : null;
  } catch {
    return null;
  }
}

const KINDS = {
  string: (value: unknown): value is string => typeof value === 'string',
  boolean: (value: unknown): value is boolean => typeof value === 'boolean',
  integer: (value: unknown): value is number => Number.isSafeInteger(value),
};
type KindOf = { string: string; boolean: boolean; integer: number };

/** What Go's encoding/json compares of a field's name: case does not count. */
export const foldName = (name: string): string => name.toLowerCase().toUpperCase();

/**
 * Reads the fields of a stored object as Go does: a name in any case, of several the last, and null counts as absent.
 * Throws an Error that names the field.
 */
export class Fields {
  readonly #values = new Map<string, unknown>();
  readonly #at: string;

  constructor(object: JsonObject, at = '') {
    this.#at = at;
    for (const [name, value] of Object.entries(object))
      if (value !== null) this.#values.set(foldName(name), value);
  }

  string(name: string, otherwise = ''): string {
    return this.#get('string', name, otherwise);
  }

  boolean(name: string): boolean {
    return this.#get('boolean', name, false);
  }

  integer(name: string, otherwise = 0): number {
    return this.#get('integer', name, otherwise);
  }

  strings(name: string): readonly string[] {
    const value = this.#value(name) ?? [];
    if (Array.isArray(value) && value.every(KINDS.string)) return value;
    throw new Error(`${this.#at}${name} is not a list of strings`);
  }

  /** An object that is absent reads as an empty one. */
  inner(name: string): Fields {
    return this.optional(name) ?? new Fields({}, `${this.#at}${name}.`);
  }

  optional(name: string): Fields | null {
    const value = this.#value(name);
    if (value === undefined) return null;
    if (!isObject(value)) throw new Error(`${this.#at}${name} is not an object`);
    return new Fields(value, `${this.#at}${name}.`);
  }

  /** As `optional`, also where the object is stored as JSON text, as vctl does; an empty text is none. */
  optionalOrText(name: string): Fields | null {
    const value = this.#value(name);
    if (typeof value !== 'string') return this.optional(name);
    if (value.trim() === '') return null;
    const object = parseObject(value);
    if (object === null) throw new Error(`${this.#at}${name} is not an object`);
    return new Fields(object, `${this.#at}${name}.`);
  }

  /** One of these words; '' where it is absent and '' is one of them. */
  oneOf<Word extends string>(name: string, words: readonly Word[]): Word {
    const value = this.string(name);
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    throw new Error(
      `${this.#at}${name} is ${JSON.stringify(value)}, not one of ${words.map((word) => word || '""').join(', ')}`,
    );
  }

  /** HTTP header values: `{"X-A": ["1"]}`; a single string is taken as well. */
  lists(name: string): { readonly [key: string]: readonly string[] } {
    const value = this.#value(name) ?? {};
    if (!isObject(value)) throw new Error(`${this.#at}${name} is not an object`);
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => {
        const list = typeof item === 'string' ? [item] : item;
        if (Array.isArray(list) && list.every(KINDS.string)) return [key, list];
        throw new Error(`${this.#at}${name}.${key} is not a list of strings`);
      }),
    );
  }

  #value(name: string): unknown {
    return this.#values.get(foldName(name));
  }

  #get<Kind extends keyof KindOf>(kind: Kind, name: string, otherwise: KindOf[Kind]): KindOf[Kind] {
    const value = this.#value(name) ?? otherwise;
    const is: (value: unknown) => value is KindOf[Kind] = KINDS[kind] as never;
    if (is(value)) return value;
    throw new Error(`${this.#at}${name} is not ${kind === 'integer' ? 'an integer' : `a ${kind}`}`);
  }
}
