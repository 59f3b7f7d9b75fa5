/** What SERVICE_* says of one port: keys in lower case without the prefix. */
export interface Metadata {
  readonly values: ReadonlyMap<string, string>;
  /** Keys that this very port names (`SERVICE_8080_NAME`). */
  readonly ofPort: ReadonlySet<string>;
}

/**
 * `SERVICE_X` is for all ports, `SERVICE_<port>_X` for that exposed port and wins, wherever it stands. An empty value
 * counts as not set.
 */
export function metadataOf(pairs: Iterable<readonly [string, string]>, port: number): Metadata {
  const common = new Map<string, string>();
  const own = new Map<string, string>();
  for (const [name, value] of pairs) {
    if (!name.startsWith('SERVICE_')) continue;
    const key = name.slice('SERVICE_'.length).toLowerCase();
    const [, digits, rest = ''] = /^(\d+)_(.+)$/s.exec(key) ?? [];
    if (digits === undefined) common.set(key, value);
    else if (Number(digits) === port) own.set(rest, value);
  }
  const set = [...common, ...own].filter(([, value]) => value !== '');
  const ofPort = [...own].filter(([, value]) => value !== '').map(([key]) => key);
  return { values: new Map(set), ofPort: new Set(ofPort) };
}

/** The ports that keys name (`SERVICE_8080_NAME`), with the first such key of each. */
export function portsNamed(pairs: Iterable<readonly [string, string]>): Map<number, string> {
  const out = new Map<number, string>();
  for (const [name, value] of pairs) {
    const digits = /^SERVICE_(\d{1,5})_.+$/s.exec(name)?.[1];
    if (digits !== undefined && value !== '' && !out.has(Number(digits))) out.set(Number(digits), name);
  }
  return out;
}

/** Keys that name several ports at once (`SERVICE_8000-8010_NAME`), which nothing reads. */
export function rangesNamed(pairs: Iterable<readonly [string, string]>): string[] {
  return [...pairs].flatMap(([name]) => (/^SERVICE_\d+[-:,]\d+_./.test(name) ? [name] : []));
}

/** Tags between commas; `\,` is a comma in a tag. Empty ones are passed over. */
export function splitTags(text: string): string[] {
  const tags = text.match(/(?:\\,|[^,])+/g) ?? [];
  return tags.map((tag) => tag.replaceAll('\\,', ','));
}
