import { existsSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { ClusterError } from '../error.ts';
import { inJournal, plainLine, Reporter } from '../keep/index.ts';
import { GatewayRegistry, GatewaySettingsRegistry, TrafficRegistry } from '../registry/index.ts';
import type { Store } from '../store/port.ts';
import { keyBytes, openKeyPair } from '../traffic/seal.ts';
import { readAddress } from './admin.ts';
import { endingOf } from './ending.ts';
import { runGateway, type Translator } from './gateway.ts';
import { listening } from './haproxy/translate/listeners.ts';
import { COUNTERS_TABLE, renderConfig, translate } from './haproxy/translate/translate.ts';
import type { Severity } from './logger.ts';

/** What `cluster gateway` is told on its command line. */
export interface ServeOptions {
  readonly prefix: string;
  readonly trafficPrefix: string;
  readonly listen: string;
  readonly runDirectory: string;
  readonly stateDirectory: string;
  readonly admin: string;
  readonly haproxy: string;
  /** 64 hex digits, or null: hosts with key pairs are left out. */
  readonly sealKey: string | null;
  readonly severity: Severity;
  readonly machine: string;
  readonly version: string;
}

/**
 * Runs a gateway on this machine until `signal` aborts.
 * @throws `bad-address`, `bad-seal-key` before anything is touched, and those of `runGateway`.
 */
export async function serve(store: Store, options: ServeOptions, signal: AbortSignal): Promise<void> {
  readAddress(options.admin);
  checkListen(options.listen);
  if (options.sealKey !== null) keyBytes(options.sealKey);
  const write = (line: string): boolean => process.stderr.write(`${line}\n`);
  const logger = new Reporter(options.severity, write, inJournal(plainLine));
  const registries = {
    traffic: new TrafficRegistry(store, options.trafficPrefix),
    gateways: new GatewayRegistry(store, options.prefix),
    settings: new GatewaySettingsRegistry(store, options.prefix),
  };
  await runGateway({ ...options, ...registries, logger, translator: translator(options) }, signal, endingOf);
}

/** An address that a listener may have: what is left out later would be a gateway that hears nobody. */
function checkListen(listen: string): void {
  const options = { listen, ipv6: true, certificates: null, notFound: '' };
  const [wrong] = listening([], options).leftOut;
  if (wrong !== undefined)
    throw new ClusterError('bad-address', `--listen ${JSON.stringify(listen)}: ${wrong.message}`, {
      hint: 'such as --listen :80 or --listen 127.0.0.1:8080',
    });
}

/** Translation with what this machine is and has. */
export function translator(options: Pick<ServeOptions, 'listen' | 'sealKey'>): Translator {
  const { listen, sealKey } = options;
  const ipv6 = Object.values(networkInterfaces()).some((list) =>
    list?.some(({ family }) => family === 'IPv6'),
  );
  return {
    table: COUNTERS_TABLE,
    render: renderConfig,
    translate: (state, { admin, logAddress }) =>
      translate(state, {
        hostname: hostname(),
        listen,
        adminSocket: admin,
        logAddress,
        ipv6: ipv6 && existsSync('/proc/net/if_inet6'),
        openKeyPair: (sealed) => openPem(sealed, sealKey),
      }),
  };
}

function openPem(sealed: string, sealKey: string | null): string | Error {
  if (sealKey === null) return new Error('is sealed, and this gateway has no seal key (--seal-key)');
  try {
    const { cert, key } = openKeyPair(sealed, sealKey);
    return `${cert.trimEnd()}\n${key.trimEnd()}\n`;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
