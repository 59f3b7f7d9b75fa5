import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { ClusterError } from '../../error.ts';

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/**
 * The certificates in a PEM file, and nothing else that is in it: a private key must not get into the registry.
 * @throws `bad-authorities`.
 */
export async function readAuthorities(file: string): Promise<string> {
  const refused = (why: string, cause?: unknown): ClusterError =>
    new ClusterError('bad-authorities', `--client-ca ${file}: ${why}`, {
      hint: "a file with the certificates, in PEM, of the authorities that sign clients' certificates",
      cause,
    });
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw refused(cause.code ?? cause.message, cause);
  });
  const blocks = text.match(BLOCK) ?? [];
  if (blocks.length === 0) throw refused('it has no certificate');
  for (const [index, block] of blocks.entries())
    try {
      new X509Certificate(block);
    } catch (cause) {
      throw refused(`its certificate number ${index + 1} cannot be read`, cause);
    }
  return `${blocks.join('\n')}\n`;
}

/** Why clients may be refused by these authorities, for a person; empty = no reason is seen. */
export function authorityDoubts(pem: string, now: Date): string[] {
  const all = (pem.match(BLOCK) ?? []).map((block) => new X509Certificate(block));
  const known = new Set(all.map(({ subject }) => subject));
  return all.flatMap((one) => {
    const name = JSON.stringify(one.subject.replaceAll('\n', ', '));
    const [from, to] = [new Date(one.validFrom), new Date(one.validTo)];
    const isOwn = one.subject === one.issuer;
    return [
      ...(to < now ? [`the authority ${name} expired on ${to.toISOString()}`] : []),
      ...(from > now ? [`the authority ${name} is not valid before ${from.toISOString()}`] : []),
      ...(one.ca ? [] : [`${name} is not an authority: no certificate but itself is accepted by it`]),
      ...(isOwn || known.has(one.issuer)
        ? []
        : [`${name} is signed by one that is not in the file: nothing that it signs is accepted`]),
    ];
  });
}
