import type { Stats } from 'node:fs';
import { ClusterError } from '../error.ts';

/** Where a value stands: typed (flags and environment together), or in this file. */
export type Origin = 'typed' | { readonly file: string };

/** A value in effect, with where it stands. */
export interface Placed {
  readonly text: string;
  readonly source: string;
  readonly origin: Origin;
}

/** What decides who reads the credentials: where etcd is, the way there, and who vouches for it. */
const ADDRESS = ['etcd.endpoints', 'etcd.tunnel', 'etcd.ca'];
const CREDENTIALS = ['etcd.user', 'etcd.password', 'etcd.cert', 'etcd.key'];

/**
 * Takes away the credentials that would travel to an endpoint of another origin: those of a file silently belong to that
 * file's own endpoint and are only noted, those that were typed are an error.
 * @returns one line for each file whose credentials are not used.
 * @throws `config-mixed-credentials`.
 */
export function withholdForeignCredentials(values: Map<string, Placed>): string[] {
  const address = ADDRESS.flatMap((key) => values.get(key) ?? []);
  if (!values.has('etcd.endpoints') && !values.has('etcd.tunnel')) return [];
  const withheld = new Map<string, string[]>();
  let elsewhere = '';
  for (const key of CREDENTIALS) {
    const credential = values.get(key);
    const other = address.find(
      ({ origin }) => credential !== undefined && !isSame(origin, credential.origin),
    );
    if (credential === undefined || other === undefined) continue;
    if (credential.origin === 'typed')
      throw new ClusterError(
        'config-mixed-credentials',
        `${credential.source} is not sent to the etcd that ${other.source} names`,
        {
          key,
          hint: 'name the endpoint in the same way (--endpoint or CLUSTER_ENDPOINT), or write both into one file',
        },
      );
    values.delete(key);
    elsewhere = other.source;
    const { file } = credential.origin;
    withheld.set(file, [...(withheld.get(file) ?? []), key]);
  }
  return [...withheld].map(
    ([file, keys]) =>
      `${keys.join(', ')} of ${file} not used: the etcd that ${elsewhere} names gets none of them`,
  );
}

const isSame = (a: Origin, b: Origin): boolean =>
  a === 'typed' || b === 'typed' ? a === b : a.file === b.file;

/**
 * Refuses a file of the current directory that somebody else could have written.
 * @param user uid of whoever runs this; root also trusts the user that sudo was called by.
 * @throws `config-untrusted`.
 */
export function requireOwn(file: string, { uid, mode }: Stats, user: number, sudoUser?: number): void {
  const trusted = uid === user || uid === 0 || (user === 0 && uid === sudoUser);
  const writable = (mode & 0o022) !== 0;
  if (trusted && !writable) return;
  const why = trusted ? 'others may write to it' : `it belongs to another user (uid ${uid})`;
  throw new ClusterError('config-untrusted', `${file} is not used: ${why}`, {
    file,
    hint: trusted ? `chmod go-w ${file}` : 'make it your own (chown), or run cluster in another directory',
  });
}
