import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Host } from '../../../traffic/index.ts';
import type { Note, OpenKeyPair } from '../../model.ts';
import { encodeName } from '../names.ts';
import { type CertificateFacts, certificateFacts } from './certificate-facts.ts';

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
 * @param now milliseconds of Unix time; null = every certificate counts as valid.
 * @param open null = key pairs are not looked at: there are no files, and TLS is taken to be possible.
 */
export function certificates(
  hosts: Iterable<Host>,
  open: OpenKeyPair | null,
  now: number | null,
): Certificates {
  const usable: Usable[] = [];
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
    if (fault === null && typeof pem === 'string') {
      const file = `certificates/${encodeName(Name)}.pem`;
      files.set(file, pem);
      usable.push({ host: Name, file, facts: certificateFacts(pem) });
    } else leftOut.push({ object, message: `its key pair: ${fault}` });
  }
  const list = listOf(usable, now);
  if (files.size > 0) files.set(LIST, list);
  return { list: files.size > 0 || open === null ? LIST : null, files, leftOut, notes };
}

interface Usable {
  readonly host: string;
  readonly file: string;
  readonly facts: CertificateFacts;
}

/** A name that no client asks for: such a line is for clients whose name fits none. */
const NOBODY = 'nobody.invalid';

/**
 * Each name belongs to one host: one whose certificate is valid before others, then the host that has the name itself.
 * HAProxy alone would take the first of the list.
 */
function listOf(usable: readonly Usable[], now: number | null): string {
  const owners = new Map<string, Usable>();
  const rank = (name: string, { host, facts }: Usable): number =>
    (now === null || (facts.from <= now && now <= facts.until) ? 2 : 0) +
    (host.toLowerCase() === name ? 1 : 0);
  for (const one of usable)
    for (const name of new Set([...one.facts.names, one.host.toLowerCase()])) {
      const owner = owners.get(name);
      if (/^[\w.*-]+$/.test(name) && (owner === undefined || rank(name, one) > rank(name, owner)))
        owners.set(name, one);
    }
  const lines = usable.map((one) => {
    const names = [...owners].filter(([, owner]) => owner === one).map(([name]) => name);
    return `${one.file} ${names.length === 0 ? NOBODY : names.join(' ')}\n`;
  });
  return lines.join('');
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
