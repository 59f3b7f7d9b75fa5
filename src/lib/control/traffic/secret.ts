import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { ClusterError } from '../../error.ts';
import { writePrivate } from '../../private-directory.ts';
import { type KeyPair, sealKeyPair } from '../../traffic/seal.ts';

/** A new seal key: 64 hex digits. */
export const newSealKey = (): string => randomBytes(32).toString('hex');

/** Where a key pair lies, and what seals it. */
export interface KeyPairFiles {
  readonly privateKey: string | undefined;
  readonly cert: string | undefined;
  readonly sealKey: string | undefined;
}

/** A key pair's sealed JSON, and the certificate that servers show first. */
interface Sealed {
  readonly text: string;
  readonly certificate: X509Certificate;
}

/** Seals a key pair whose halves fit each other. @throws `bad-key-pair`, `bad-seal-key`. */
export async function sealFiles({ privateKey, cert, sealKey }: KeyPairFiles): Promise<Sealed> {
  if (privateKey === undefined || cert === undefined)
    throw new ClusterError('bad-key-pair', 'failed to read key pair: one of its halves is not given', {
      hint: '--private-key FILE --cert FILE',
    });
  if (sealKey === undefined)
    throw new ClusterError('bad-seal-key', 'a key pair is stored sealed, and no seal key is given', {
      hint: '--seal-key KEY or CLUSTER_SEAL_KEY; cluster secret new_key makes one',
    });
  const pair = { cert: await readPem(cert), key: await readPem(privateKey) };
  const certificate = checkPair(pair, cert, privateKey);
  return { text: sealKeyPair(pair, sealKey, randomBytes(24)), certificate };
}

/** Writes a secret for its owner alone. A file that holds something already is never overwritten. */
export async function writeSecret(file: string, text: string): Promise<void> {
  const found = await stat(file).catch(() => null);
  if (found !== null && found.size > 0)
    throw new ClusterError('file-exists', `${file} exists already`, {
      file,
      hint: 'what it holds may be needed: move it away first',
    });
  try {
    // What is no regular file, such as /dev/stdout, has no permissions to mend and must not be replaced.
    if (found === null || found.isFile()) await writePrivate(found ? await realpath(file) : file, text);
    else await writeFile(file, text);
  } catch (cause) {
    throw new ClusterError('file-unwritable', `cannot write ${file}: ${codeOf(cause)}`, {
      file,
      hint: 'another --file',
      cause,
    });
  }
}

function checkPair(pair: KeyPair, cert: string, privateKey: string): X509Certificate {
  let certificate: X509Certificate;
  let fits: boolean;
  try {
    certificate = new X509Certificate(pair.cert);
    fits = certificate.checkPrivateKey(createPrivateKey(pair.key));
  } catch (cause) {
    throw new ClusterError('bad-key-pair', `failed to read key pair: ${cert} and ${privateKey} are not PEM`, {
      hint: 'a PEM certificate (chain) and its unencrypted PEM private key',
      cause,
    });
  }
  if (fits) return certificate;
  throw new ClusterError('bad-key-pair', `${privateKey} is not the private key of ${cert}`, {
    hint: 'give the two files that belong together',
  });
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new ClusterError('bad-key-pair', `failed to read key pair: ${file}: ${codeOf(cause)}`, {
      file,
      hint: 'check --private-key and --cert',
      cause,
    });
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error);
