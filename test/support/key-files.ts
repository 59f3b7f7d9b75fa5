import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface KeyFiles {
  readonly key: string;
  readonly cert: string;
  /** Both, as PEM. */
  readonly pem: string;
}

/** A self-signed certificate for this name, by openssl. */
export function keyFiles(dir: string, name: string, file = name): KeyFiles {
  const [key, cert] = [join(dir, `${file}.key`), join(dir, `${file}.pem`)];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
  execFileSync('openssl', ['req', '-x509', ...curve, '-keyout', key, '-out', cert, ...subject], {
    stdio: 'ignore',
  });
  return { key, cert, pem: readFileSync(cert, 'utf8') + readFileSync(key, 'utf8') };
}
