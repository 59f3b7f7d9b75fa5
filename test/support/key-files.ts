import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
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

export interface Authority extends KeyFiles {
  /** @param extensions lines of an OpenSSL extension file. */
  sign(name: string, extensions?: readonly string[], days?: number): KeyFiles;
}

/** An authority and what it signs; `from` makes it one that another authority has signed. */
export function authority(dir: string, name: string, from?: KeyFiles): Authority {
  const own = issue(dir, name, from, ['basicConstraints=critical,CA:TRUE']);
  return { ...own, sign: (client, more = [], days = 2) => issue(dir, client, own, more, days) };
}

/** A certificate with this common name, signed by `issuer` or, without one, by itself. */
function issue(
  dir: string,
  name: string,
  issuer: KeyFiles | undefined,
  extensions: readonly string[],
  days = 2,
): KeyFiles {
  const file = name.replace(/[^\w.-]/g, '_');
  const [key, cert, request] = ['key', 'pem', 'csr'].map((end) => join(dir, `${file}.${end}`)) as [
    string,
    string,
    string,
  ];
  const config = `${request}.ext`;
  writeFileSync(config, extensions.join('\n'));
  const openssl = (...args: readonly string[]) => execFileSync('openssl', args, { stdio: 'ignore' });
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-new', '-utf8', ...curve, '-keyout', key, '-out', request, '-subj', `/O=Acme/CN=${name}`);
  const by =
    issuer === undefined ? ['-signkey', key] : ['-CA', issuer.cert, '-CAkey', issuer.key, '-CAcreateserial'];
  openssl('x509', '-req', '-in', request, ...by, '-days', String(days), '-extfile', config, '-out', cert);
  return { key, cert, pem: readFileSync(cert, 'utf8') + readFileSync(key, 'utf8') };
}
