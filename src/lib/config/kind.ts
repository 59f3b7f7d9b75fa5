/** What a configuration value may be. */
export type Kind =
  | { readonly type: 'section' | 'text' | 'list' | 'number' | 'duration' | 'duration-or-none' }
  | { readonly type: 'choice'; readonly choices: readonly string[] };

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/** Milliseconds of `500ms`, `3s`, `1.5s` or `2m` (a bare number means seconds), or undefined. */
export function durationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text.trim());
  if (match === null) return undefined;
  const ms = Math.round(Number(match[1]) * (UNIT_MS[match[2] ?? 's'] ?? 1000));
  return ms > 0 && ms <= 2 ** 31 - 1 ? ms : undefined;
}

/** Says what is expected when `value` is not of this kind, else undefined. */
export function problemWith(kind: Kind, value: string): string | undefined {
  switch (kind.type) {
    case 'number':
      return /^[1-9]\d{0,5}$/.test(value) ? undefined : 'expected a whole number above 0';
    case 'duration':
      return durationMs(value) === undefined ? 'expected a duration such as 500ms, 3s or 1m' : undefined;
    case 'duration-or-none':
      return value === '0'
        ? undefined
        : problemWith({ type: 'duration' }, value)?.concat(', or 0 for not at all');
    case 'choice':
      return kind.choices.includes(value) ? undefined : `expected one of: ${kind.choices.join(', ')}`;
    default:
      return undefined;
  }
}
