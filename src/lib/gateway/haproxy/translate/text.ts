/** Lines of one section of HAProxy's configuration. */
export type Lines = readonly string[];

/** ` if ...` with the words of a condition, '' without any. */
export function when(...conditions: readonly string[]): string {
  const words = conditions.filter((condition) => condition !== '');
  return words.length === 0 ? '' : ` if ${words.join(' ')}`;
}

/** A condition that holds for requests of this frontend. */
export function ofFrontend(name: string): string {
  return `{ var(txn.fe) -m str -- ${name} }`;
}

/**
 * Up to so many names are compared one by one. Of more, the number is looked up first: comparing numbers costs half as
 * much, and a third where there is none.
 */
export const FEW = 4;
