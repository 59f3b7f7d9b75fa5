import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';

/** Where distributions keep the certificates of the authorities that the system trusts. */
const FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

let known: { readonly file: string; readonly changed: number; readonly context: SecureContext } | undefined;

/**
 * Trusts whom the system trusts (`SSL_CERT_FILE` names another file), or whom Node does where the system has no list.
 * Reading takes some milliseconds, so it is kept until the file changes.
 */
export async function trustedAuthorities(): Promise<SecureContext> {
  const own = process.env.SSL_CERT_FILE;
  for (const file of own === undefined || own === '' ? FILES : [own]) {
    const changed = (await stat(file).catch(() => null))?.mtimeMs;
    if (changed === undefined) continue;
    if (known?.file !== file || known.changed !== changed)
      known = { file, changed, context: createSecureContext({ ca: await readFile(file) }) };
    return known.context;
  }
  return createSecureContext();
}

/** The name that TLS asks for, of a Host header that may end in a port; null where it names none. */
export function serverName(host: string | null): string | null {
  const bare = host?.replace(/:\d+$/, '').replace(/^\[|\]$/g, '') ?? '';
  return bare === '' || isIP(bare) !== 0 ? null : bare;
}
