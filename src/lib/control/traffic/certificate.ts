import type { X509Certificate } from 'node:crypto';

/** What clients will not like of a certificate that is shown for a host, for a person; empty = nothing. */
export function certificateDoubts(certificate: X509Certificate, host: string, now: Date): string[] {
  const doubts: string[] = [];
  const [from, to] = [new Date(certificate.validFrom), new Date(certificate.validTo)];
  if (to < now) doubts.push(`its certificate expired on ${to.toISOString()}`);
  if (from > now) doubts.push(`its certificate is not valid before ${from.toISOString()}`);
  if (!names(certificate, host)) {
    const common = /(?:^|\n)CN=([^\n]+)/.exec(certificate.subject ?? '')?.[1];
    const other = namesOf(certificate) ?? (common && `${common} as its common name, which clients ignore`);
    doubts.push(`its certificate does not name it, but ${other ?? 'nobody'}`);
  }
  return doubts;
}

/** A wildcard host is named by the same wildcard. */
function names(certificate: X509Certificate, host: string): boolean {
  if (certificate.checkHost(host, { subject: 'never' }) !== undefined) return true;
  return host.startsWith('*.') && (namesOf(certificate) ?? '').toLowerCase().split(', ').includes(host);
}

/** Its alternative names, `a.test, *.b.test`; null = it has none. */
function namesOf({ subjectAltName }: X509Certificate): string | null {
  return (subjectAltName ?? '').match(/(?<=DNS:)[^,\s"]+/g)?.join(', ') ?? null;
}
