import { X509Certificate } from 'node:crypto';
import type { ClientAuth } from '../../../traffic/index.ts';
import { encodeName } from '../names.ts';
import { quote, Unservable } from './quote.ts';

/** A listener that asks clients for a certificate. */
interface Asking {
  /** For its `bind` lines, with a blank before. */
  readonly keywords: string;
  readonly rules: readonly string[];
  readonly file: string;
  readonly text: string;
}

/** Bytes of rewritten headers for which a buffer keeps room where clients' certificates are passed on as a header. */
export const CERTIFICATE_ROOM = 8192;

const REFUSED = `status 403 content-type application/json string ${quote('{"error":"client certificate required"}')}`;

/** @throws Unservable where HAProxy would refuse its whole configuration for the authorities. */
export function clientAuth(id: string, { Mode, CA }: ClientAuth): Asking {
  const name = encodeName(id);
  const file = `authorities/${name}.pem`;
  const blocks = CA.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Unservable('ClientAuth.CA has no certificate in PEM');
  try {
    for (const block of blocks) new X509Certificate(block);
  } catch (error) {
    throw new Unservable(`ClientAuth.CA: ${error instanceof Error ? error.message : String(error)}`);
  }
  return {
    keywords: ` ca-file ${file} verify ${Mode}`,
    // Whatever a client resumes: without a certificate there is no way in.
    rules:
      Mode === 'required'
        ? [`http-request return ${REFUSED} if { so_name -m str -- ${name} } !{ ssl_c_used }`]
        : [],
    file,
    text: `${blocks.join('\n')}\n`,
  };
}

/** Every spelling of `Client-Cert` and `X-Client-Cert-Subject`, and RFC 9440's `Client-Cert-Chain`. */
export const CERTIFICATE_CLAIMS = '(x[^a-z0-9])?client[^a-z0-9]cert';

/**
 * What servers hear of a client's certificate: the certificate as RFC 9440 writes it, and its subject as RFC 2253 does.
 * On a listener that asks for one, no client can say that itself, trusted or not.
 */
export function certificateRules(asking: readonly string[]): string[] {
  if (asking.length === 0) return [];
  const names = asking.join(' ');
  return [
    `http-request del-header ${quote(`^${CERTIFICATE_CLAIMS}`)} -m reg if { so_name -m str -- ${names} }`,
    'http-request set-header Client-Cert :%[ssl_c_der,base64]: if { ssl_c_used }',
    'http-request set-header X-Client-Cert-Subject %[ssl_c_s_dn(,0,rfc2253)] if { ssl_c_used }',
  ];
}
