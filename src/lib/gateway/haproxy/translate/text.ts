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
 * Up to this many names are compared one by one. With more, a number is looked up first: comparing numbers costs half
 * as much, and a third for a request that has none.
 */
export const FEW = 4;
