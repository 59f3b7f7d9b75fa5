const SEVERITIES: Readonly<Record<string, number>> = {
  ALERT: 1,
  CRIT: 2,
  ERR: 3,
  WARNING: 4,
  NOTICE: 5,
  INFO: 6,
  DEBUG: 7,
};

const FACILITIES: Readonly<Record<string, number>> = {
  USER: 1,
  MAIL: 2,
  DAEMON: 3,
  AUTH: 4,
  SYSLOG: 5,
  LPR: 6,
  NEWS: 7,
  UUCP: 8,
  CRON: 9,
  AUTHPRIV: 10,
  FTP: 11,
  LOG_LOCAL0: 16,
  LOG_LOCAL1: 17,
  LOG_LOCAL2: 18,
  LOG_LOCAL3: 19,
  LOG_LOCAL4: 20,
  LOG_LOCAL5: 21,
  LOG_LOCAL6: 22,
  LOG_LOCAL7: 23,
};

/** Where a trace's lines go. */
export interface SyslogTarget {
  readonly to:
    | { readonly protocol: 'udp' | 'tcp'; readonly host: string; readonly port: number }
    | { readonly socket: string };
  readonly facility: number;
  readonly level: number;
  /** What each line begins with. */
  readonly prefix: string;
}

/**
 * `syslog://HOST[:PORT]` (UDP; TCP with `proto=tcp`, which is ours), `syslog:///SOCKET`, or `syslog://` for the machine's
 * own; then `?f=FACILITY&sev=SEVERITY&prefix=TEXT`, in vulcand's words. Throws an Error that says what is wrong.
 */
export function readSyslogAddress(addr: string): SyslogTarget {
  if (!/^syslog:\/\/[\x21-\x7e]*$/.test(addr) || !URL.canParse(addr))
    throw new Error(`Addr ${JSON.stringify(addr.slice(0, 200))} is not a syslog:// address`);
  const url = new URL(addr);
  const rest = {
    facility: named(url, 'f', 'facility', FACILITIES, 'LOG_LOCAL0'),
    level: named(url, 'sev', 'severity', SEVERITIES, 'DEBUG'),
    prefix: url.searchParams.get('prefix') || '@cee: ',
  };
  if (/\p{Cc}/u.test(rest.prefix)) throw new Error('Addr: the prefix has control characters in it');
  if (url.hostname === '')
    return { to: { socket: url.pathname.length > 1 ? url.pathname : '/dev/log' }, ...rest };
  const protocol = url.searchParams.get('proto') === 'tcp' ? 'tcp' : 'udp';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return { to: { protocol, host, port: Number(url.port || 514) }, ...rest };
}

function named(
  url: URL,
  key: string,
  what: string,
  names: Readonly<Record<string, number>>,
  otherwise: string,
): number {
  const text = url.searchParams.get(key) || otherwise;
  const found = Object.hasOwn(names, text) ? names[text] : undefined;
  if (found !== undefined) return found;
  const known = Object.keys(names).join(', ');
  throw new Error(`Addr: ${JSON.stringify(text.slice(0, 100))} is no syslog ${what}; there are ${known}`);
}
