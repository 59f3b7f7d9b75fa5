import type { TlsSettings } from '../../../traffic/index.ts';

/** TLS settings as keywords of a bind or server line, and what HAProxy does differently. */
export interface TlsKeywords {
  readonly keywords: readonly string[];
  readonly notes: readonly string[];
}

const VERSIONS: Readonly<Record<string, string>> = {
  VersionTLS10: 'TLSv1.0',
  VersionTLS11: 'TLSv1.1',
  VersionTLS12: 'TLSv1.2',
  VersionTLS13: 'TLSv1.3',
};

/** The suites that vulcand knows, by Go's names. */
const SUITES: Readonly<Record<string, string>> = {
  TLS_RSA_WITH_RC4_128_SHA: 'RC4-SHA',
  TLS_RSA_WITH_3DES_EDE_CBC_SHA: 'DES-CBC3-SHA',
  TLS_RSA_WITH_AES_128_CBC_SHA: 'AES128-SHA',
  TLS_RSA_WITH_AES_256_CBC_SHA: 'AES256-SHA',
  TLS_ECDHE_ECDSA_WITH_RC4_128_SHA: 'ECDHE-ECDSA-RC4-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 'ECDHE-ECDSA-AES128-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_RC4_128_SHA: 'ECDHE-RSA-RC4-SHA',
  TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA: 'ECDHE-RSA-DES-CBC3-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 'ECDHE-RSA-AES128-SHA',
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
};

export function tlsKeywords(tls: TlsSettings): TlsKeywords {
  const keywords: string[] = [];
  const notes: string[] = [];
  const [least, most] = [VERSIONS[tls.MinVersion], VERSIONS[tls.MaxVersion]];
  if (least !== undefined && most !== undefined && least > most) {
    notes.push(`TLS.MinVersion ${tls.MinVersion} is above MaxVersion ${tls.MaxVersion}: both are ignored`);
  } else {
    if (least !== undefined) keywords.push(`ssl-min-ver ${least}`);
    if (most !== undefined) keywords.push(`ssl-max-ver ${most}`);
  }
  if (tls.SessionTicketsDisabled) keywords.push('no-tls-tickets');
  const suites = tls.CipherSuites.flatMap((suite) => SUITES[suite] ?? []);
  const unknown = tls.CipherSuites.filter((suite) => SUITES[suite] === undefined);
  if (unknown.length > 0) notes.push(`unknown cipher suites: ${unknown.join(', ')}`);
  if (suites.length > 0) keywords.push(`ciphers ${suites.join(':')}`);
  return { keywords, notes };
}
