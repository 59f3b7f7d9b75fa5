/** The members of a stored JSON object, before they are checked. */
export type Fields = Readonly<Record<string, unknown>>;

/** @throws Error `the value is not JSON`. */
export function parsed(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    throw new Error('the value is not JSON');
  }
}

/** @throws Error naming what is not an object. */
export function fields(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${what} is not an object`);
  return value as Fields;
}

/** @throws Error naming the field that is not a text. */
export function text(of: Fields, name: string): string {
  const value = of[name];
  if (typeof value !== 'string') throw new Error(`"${name}" is not a text`);
  return value;
}

/** @throws Error for a version that another program wrote. */
export function version(of: Fields): 1 {
  if (of.v !== 1) throw new Error(`version ${JSON.stringify(of.v)} is not one this program knows (1)`);
  return 1;
}
