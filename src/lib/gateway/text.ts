/** Lines of one section of HAProxy's configuration. */
export type Lines = readonly string[];

/** ` if ...` with the words of a condition, '' without any. */
export function when(...conditions: readonly string[]): string {
  const words = conditions.filter((condition) => condition !== '');
  return words.length === 0 ? '' : ` if ${words.join(' ')}`;
}
