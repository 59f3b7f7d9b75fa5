import { X509Certificate } from 'node:crypto';

/** What a certificate says of itself, as far as it decides where it is used. */
export interface CertificateFacts {
  /** Host names in lower case, also such as `*.example.test`. */
  readonly names: readonly string[];
  /** Milliseconds of Unix time. */
  readonly from: number;
  readonly until: number;
}

/** Of the first certificate in a PEM text; throws where there is none that can be read. */
export function certificateFacts(pem: string): CertificateFacts {
  const certificate = new X509Certificate(pem);
  const alternative = [...(certificate.subjectAltName ?? '').matchAll(/DNS:([^\s,"]+)/g)];
  const common = /^CN=(\S+)$/m.exec(certificate.subject)?.[1];
  const names = alternative.length > 0 ? alternative.map(([, name = '']) => name) : common ? [common] : [];
  return {
    names: [...new Set(names.map((name) => name.toLowerCase()))],
    from: Date.parse(certificate.validFrom),
    until: Date.parse(certificate.validTo),
  };
}
