import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Host } from '../../../traffic/index.ts';
import type { Note, OpenKeyPair } from '../../model.ts';
import { encodeName } from '../names.ts';

/** Files with the hosts' key pairs, and the list of them that HAProxy chooses from by SNI. */
export interface Certificates {
  /** null = no host has a key pair that can be used, so there can be no TLS. */
  readonly list: string | null;
  readonly files: ReadonlyMap<string, string>;
  readonly leftOut: readonly Note[];
  readonly notes: readonly Note[];
}

const LIST = 'certificates.list';

/**
 * The default host comes first: a client whose SNI fits none gets its certificate.
 * @param open null = key pairs are not looked at: there are no files, and TLS is taken to be possible.
 */
export function certificates(hosts: Iterable<Host>, open: OpenKeyPair | null): Certificates {
  const files = new Map<string, string>();
  const leftOut: Note[] = [];
  const notes: Note[] = [];
  const ordered = [...hosts].sort(
    (a, b) => Number(b.Settings.Default) - Number(a.Settings.Default) || (a.Name < b.Name ? -1 : 1),
  );
  for (const { Name, Settings } of ordered) {
    const object = `host ${Name}`;
    if (Settings.OCSP.Enabled) notes.push({ object, message: 'OCSP answers are not stapled' });
    if (Settings.KeyPair === null || open === null) continue;
    const pem = open(Settings.KeyPair);
    const fault = pem instanceof Error ? pem.message : faultOf(pem);
    if (fault === null && typeof pem === 'string') files.set(`certificates/${encodeName(Name)}.pem`, pem);
    else leftOut.push({ object, message: `its key pair: ${fault}` });
  }
  const list = [...files.keys()].map((file) => `${file}\n`).join('');
  if (files.size > 0) files.set(LIST, list);
  return { list: files.size > 0 || open === null ? LIST : null, files, leftOut, notes };
}

const PEM = /-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g;

/** HAProxy refuses its whole configuration for one certificate that it cannot use. */
function faultOf(pem: string): string | null {
  const blocks = [...pem.matchAll(PEM)].map(([text, kind = '']) => ({ text, kind }));
  const [leaf, ...chain] = blocks.filter(({ kind }) => kind === 'CERTIFICATE');
  const keys = blocks.filter(({ kind }) => kind.endsWith('PRIVATE KEY'));
  const [key] = keys;
  if (leaf === undefined) return 'has no certificate';
  if (key === undefined || keys.length > 1) return `has ${keys.length} private keys, not one`;
  if (key.kind.startsWith('ENCRYPTED') || key.text.includes('ENCRYPTED'))
    return 'its private key has a passphrase';
  try {
    for (const { text } of chain) new X509Certificate(text);
    return new X509Certificate(leaf.text).checkPrivateKey(createPrivateKey(key.text))
      ? null
      : 'the private key is not the certificate’s';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
