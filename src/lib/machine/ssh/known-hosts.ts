import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** One usable line of a known_hosts file. */
export interface KnownHost {
  /** 1-based. */
  readonly line: number;
  readonly marker: 'revoked' | 'cert-authority' | null;
  /** Host patterns, or one hashed name. */
  readonly patterns: readonly string[];
  readonly type: string;
  readonly key: Buffer;
}

/** What the known hosts say of a key that a machine shows. */
export type Verdict =
  | { readonly status: 'known' }
  /** `authority`: certificates of an authority are trusted for this host, which ssh2 cannot check. */
  | { readonly status: 'unknown'; readonly authority: boolean }
  | { readonly status: 'changed'; readonly known: KnownHost }
  | { readonly status: 'revoked'; readonly known: KnownHost };

/** Reads known_hosts text; lines that are no entries are passed over, as OpenSSH does. */
export function parseKnownHosts(text: string): KnownHost[] {
  const hosts: KnownHost[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const words = line.split(/[ \t]+/);
    const marker = words[0]?.startsWith('@') ? words.shift()?.slice(1) : null;
    if (marker !== null && marker !== 'revoked' && marker !== 'cert-authority') continue;
    const [names, type, base64] = words;
    if (names === undefined || type === undefined || base64 === undefined) continue;
    const key = Buffer.from(base64, 'base64');
    if (keyType(key) !== type) continue;
    hosts.push({ line: index + 1, marker, patterns: names.split(','), type, key });
  }
  return hosts;
}

/** The algorithm name that a public key in wire format begins with. */
export function keyType(key: Buffer): string {
  const length = key.length < 4 ? 0 : key.readUInt32BE(0);
  return key.toString('latin1', 4, 4 + length);
}

/** OpenSSH's `SHA256:...` fingerprint. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** The name that known_hosts uses for a host on a port. */
export function hostName(host: string, port: number): string {
  const lower = host.toLowerCase();
  return port === 22 ? lower : `[${lower}]:${port}`;
}

/** Checks the key that a machine shows. */
export function checkHostKey(hosts: readonly KnownHost[], host: string, port: number, key: Buffer): Verdict {
  const name = hostName(host, port);
  const mine = hosts.filter((entry) => matches(entry, name));
  const same = (entry: KnownHost) => entry.key.equals(key);
  const revoked = hosts.find(
    (entry) =>
      entry.marker === 'revoked' &&
      same(entry) &&
      (matches(entry, name) || matches(entry, hostName(host, 22))),
  );
  if (revoked) return { status: 'revoked', known: revoked };
  const plain = mine.filter((entry) => entry.marker === null);
  if (plain.some(same)) return { status: 'known' };
  // Any other type counts as changed too: else a listener that offers a type we have not seen would be "new".
  const other = plain.find((entry) => entry.type === keyType(key)) ?? plain[0];
  if (other) return { status: 'changed', known: other };
  // As OpenSSH: a key known for the plain name is good on another port, but a different one there proves nothing.
  const withoutPort = hostName(host, 22);
  if (
    port !== 22 &&
    hosts.some((entry) => entry.marker === null && same(entry) && matches(entry, withoutPort))
  ) {
    return { status: 'known' };
  }
  return { status: 'unknown', authority: mine.some((entry) => entry.marker === 'cert-authority') };
}

const ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
};

/** Host key algorithms to offer, those of keys already known first, so that a known key is the one that is shown. */
export function hostKeyAlgorithms(hosts: readonly KnownHost[], host: string, port: number): string[] {
  const names = [hostName(host, port), hostName(host, 22)];
  const known = new Set<string>();
  for (const name of names) {
    for (const entry of hosts) {
      if (entry.marker === null && matches(entry, name)) known.add(entry.type);
    }
  }
  const types = [...known, ...Object.keys(ALGORITHMS).filter((type) => !known.has(type))];
  return types.flatMap((type) => ALGORITHMS[type] ?? []);
}

/** The line that `accept-new` appends. */
export function knownHostLine(host: string, port: number, key: Buffer): string {
  return `${hostName(host, port)} ${keyType(key)} ${key.toString('base64')}\n`;
}

function matches(entry: KnownHost, name: string): boolean {
  let found = false;
  for (const pattern of entry.patterns) {
    if (pattern.startsWith('|')) found ||= matchesHash(pattern, name);
    else if (pattern.startsWith('!')) {
      if (glob(pattern.slice(1)).test(name)) return false;
    } else found ||= glob(pattern).test(name);
  }
  return found;
}

function matchesHash(pattern: string, name: string): boolean {
  const [, version, salt, hash] = pattern.split('|');
  if (version !== '1' || salt === undefined || hash === undefined) return false;
  const wanted = Buffer.from(hash, 'base64');
  const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest();
  return wanted.length === actual.length && timingSafeEqual(wanted, actual);
}

function glob(pattern: string): RegExp {
  const source = pattern
    .toLowerCase()
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`);
}
