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

/** Whether clients that ask for `host` will take the certificate, as far as names go. */
export function namesHost({ names }: CertificateFacts, host: string): boolean {
  const wanted = host.toLowerCase();
  const parent = wanted.replace(/^[^.]+/, '*');
  return names.some((name) => name === wanted || name === parent);
}

/** Why clients will refuse it as the certificate of `host`, in sentences. @param now milliseconds of Unix time. */
export function certificateFaults(facts: CertificateFacts, host: string, now: number): string[] {
  const day = (at: number): string => new Date(at).toISOString().replace('.000Z', 'Z');
  return [
    ...(now > facts.until ? [`the certificate expired at ${day(facts.until)}`] : []),
    ...(now < facts.from ? [`the certificate is not valid before ${day(facts.from)}`] : []),
    ...(namesHost(facts, host)
      ? []
      : [`the certificate does not name this host, but ${facts.names.join(', ') || 'no host at all'}`]),
  ];
}
