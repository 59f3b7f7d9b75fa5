import { ClusterError } from '../error.ts';

/** Where gateways make the sockets of listeners with `Network: unix`, and nowhere else. */
export const LISTENER_DIRECTORY = '/run/cluster-gateway/listeners';

/** The name of such a socket, from its path or the name itself; null for any other path. */
export function listenerSocket(address: string): string | null {
  const inside = address.startsWith(`${LISTENER_DIRECTORY}/`)
    ? address.slice(LISTENER_DIRECTORY.length + 1)
    : address;
  return /^\w[\w.-]*$/.test(inside) ? inside : null;
}

/** Where a server listens. */
export interface ServerAddress {
  /** h2c is HTTP/2 without TLS, as gRPC servers speak it. */
  readonly scheme: 'http' | 'https' | 'h2c';
  /** An IPv6 address stands without its brackets. */
  readonly host: string;
  readonly port: number;
}

const SHAPE =
  /^(https?|h2c):\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?)(?::(\d{1,5}))?(\/[\x21-\x7e]*)?$/i;

/**
 * The address in a server's URL, or what is wrong with it. vulcand takes no notice of a path, so one that others wrote
 * is passed over here; our own commands refuse it (`checkServerUrl`).
 */
export function readServerUrl(url: string): ServerAddress | string {
  const found = SHAPE.exec(url);
  if (found === null) return `endpoint url ${JSON.stringify(url.slice(0, 200))} is not valid`;
  const [, scheme, host = '', digits] = found;
  const kind = scheme?.toLowerCase() === 'https' ? 'https' : scheme?.toLowerCase() === 'h2c' ? 'h2c' : 'http';
  if (!isHost(host)) return `endpoint url ${JSON.stringify(url.slice(0, 200))} has no host that can be`;
  const port = digits === undefined ? (kind === 'https' ? 443 : 80) : Number(digits);
  if (port < 1 || port > 65_535) return `endpoint url ${JSON.stringify(url)} has no port that can be`;
  return { scheme: kind, host: host.replace(/^\[|\]$/g, ''), port };
}

/** An address, or a name of labels that DNS takes; an IPv6 address stands in its brackets. */
export function isHost(host: string): boolean {
  const labels = host.startsWith('[') ? [] : host.split('.');
  if (host.length > 253 || labels.some((label) => label === '' || label.length > 63)) return false;
  return URL.canParse(`http://${host}`);
}

/** Whether a host, without brackets, can be reached from its own computer only. */
export function isLoopback(host: string): boolean {
  return /^localhost$/i.test(host) || host === '::1' || /^127\.[\d.]+$/.test(host);
}

/** @throws `bad-url` unless this is `http[s]://HOST[:PORT]` or `h2c://HOST[:PORT]` and nothing else. */
export function checkServerUrl(url: string): void {
  const other = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1];
  if (other !== undefined && !/^(https?|h2c)$/i.test(other))
    throw new ClusterError(
      'bad-url',
      `unsupported protocol '${other}', supported protocols are http and https`,
      {
        hint: 'such as http://10.0.0.5:8080',
      },
    );
  const found = readServerUrl(url);
  if (typeof found !== 'string' && /^[^/]+\/\/[^/]+\/?$/.test(url)) return;
  const shown = JSON.stringify(url.slice(0, 200)).slice(1, -1);
  throw new ClusterError('bad-url', `endpoint url '${shown}' is not valid`, {
    hint: 'only http://HOST:PORT, https://HOST:PORT or h2c://HOST:PORT; no path, user or query',
  });
}
