import { ClusterError } from '../../error.ts';
import { hostAsSent } from '../../route/index.ts';
import { checkId, readFrontend, readServer, requirePossible } from '../../traffic/index.ts';
import { readCheck } from './check.ts';
import type { Check, Offer, Service } from './model.ts';

/** The route of the fork, and of slides 10 and 11. */
export const routeOf = (host: string): string => `Host("${host}") && PathRegexp(".*")`;

type Scheme = 'http' | 'https' | 'h2c';

/** vulcand's rule where nothing is said: only the well-known ports speak TLS. */
export function urlOf(
  { address, port }: { readonly address: string; readonly port: number },
  said: Scheme | null = null,
): string {
  const scheme = said ?? (port === 443 || port === 8443 ? 'https' : 'http');
  return `${scheme}://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/**
 * What a service asks to be announced as; null = nothing (it has neither a host name, nor a SERVICE_NAME and a check), or
 * what keeps it from that.
 */
export function offerOf(service: Service): {
  readonly offer: Offer | null;
  readonly problems: readonly string[];
} {
  const { attributes } = service;
  const shared = asSent(attributes.frontend_host_load_balancer);
  const instance = asSent(attributes.frontend_host_container);
  const { check, problems: ofCheck } = readCheck(attributes);
  const problems = [...ofCheck];
  // Without a frontend it is there to be pointed at, which only makes sense for what is meant to be a backend.
  const balanced = shared !== null || (service.named && check !== null);
  if (!balanced && instance === null) return { offer: null, problems: [] };
  const about = (message: string): string => `service ${service.id}: ${message}`;
  if (service.protocol === 'udp') return { offer: null, problems: [about('UDP cannot be a server')] };
  const url = urlOf(service, schemeOf(service, check, problems));
  try {
    checkId('service id', service.id);
    checkId('service name', service.name);
    readServer(service.id, { URL: url });
    for (const host of [shared, instance]) if (host !== null) checkHost(host);
  } catch (error) {
    return { offer: null, problems: [about(inWords(error))] };
  }
  const clash = balanced && instance !== null && service.id === service.name;
  return {
    offer: {
      service,
      url,
      balanced,
      sharedHost: shared,
      instanceHost: clash ? null : instance,
      // The door to one instance never looks at health.
      check: balanced ? check : null,
    },
    problems: [
      ...[
        ...(balanced ? problems : []),
        ...(clash ? ['SERVICE_ID is SERVICE_NAME, so the instance has no host name of its own'] : []),
      ].map(about),
      ...(balanced && shared === null && !service.withheld ? [withoutFrontend(service)] : []),
    ],
  };
}

/** null = by the port. A server that is checked by gRPC is spoken to in HTTP/2, unless it says otherwise. */
function schemeOf(
  { attributes: { scheme }, port }: Service,
  check: Check | null,
  problems: string[],
): Scheme | null {
  if (scheme === 'http' || scheme === 'https' || scheme === 'h2c') return scheme;
  if (scheme !== undefined)
    problems.push(`SERVICE_SCHEME=${scheme} is not http, https or h2c; it is chosen by the port`);
  if (check?.how.kind !== 'grpc' || port === 443 || port === 8443) return null;
  return check.how.tls ? 'https' : 'h2c';
}

/** The same for all instances, so that it is said once. */
const withoutFrontend = ({ name }: Service): string =>
  `backend ${name} is announced without a frontend: no SERVICE_FRONTEND_HOST_LOAD_BALANCER says its host name (or cluster frontend upsert -b ${name})`;

function inWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const hint = error instanceof ClusterError ? error.hint : undefined;
  return hint === undefined ? error.message : `${error.message}; ${hint}`;
}

/** Clients send international names in their ASCII form, and other names in lower case. */
function asSent(host: string | undefined): string | null {
  if (host === undefined) return null;
  return /[^\0-\x7f]/.test(host) ? (hostAsSent(host) ?? host) : host;
}

function checkHost(host: string): void {
  if (/["`\\\s\p{Cc}]/u.test(host)) throw new Error(`${JSON.stringify(host)} is not a host name`);
  readFrontend('host', { Type: 'http', BackendId: 'backend', Route: routeOf(host) });
  requirePossible(routeOf(host));
}
