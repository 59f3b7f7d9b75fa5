import { inJournal, plainLine, Reporter, readinessOf, type Severity } from '../keep/index.ts';
import { GatewayRegistry, GatewaySettingsRegistry, TrafficRegistry } from '../registry/index.ts';
import type { Store } from '../store/port.ts';
import { keyBytes } from '../traffic/seal.ts';
import { readAddress } from './admin.ts';
import { chosenProxy } from './chosen-proxy.ts';
import { endingOf } from './ending.ts';
import { type GatewayOptions, runGateway } from './gateway.ts';
import { keyPairOpener } from './key-pairs.ts';
import type { ProxyTuning } from './proxy.ts';

/** The command line of `cluster gateway`. */
export interface ServeOptions {
  readonly prefix: string;
  readonly trafficPrefix: string;
  readonly listen: string;
  readonly runDirectory: string;
  readonly stateDirectory: string;
  readonly admin: string;
  /** The proxy's program. */
  readonly program: string;
  readonly tuning: ProxyTuning;
  /** 64 hex digits, or null: hosts with key pairs are left out. */
  readonly sealKey: string | null;
  readonly severity: Severity;
  readonly machine: string;
  readonly version: string;
}

/**
 * Runs a gateway on this machine until `signal` aborts.
 * @throws ClusterError `bad-address`, `bad-seal-key` before anything is touched, and those of `runGateway`.
 */
export async function serve(store: Store, options: ServeOptions, signal: AbortSignal): Promise<void> {
  const ready = readinessOf(process.env);
  readAddress(options.admin);
  if (options.sealKey !== null) keyBytes(options.sealKey);
  const write = (line: string): boolean => process.stderr.write(`${line}\n`);
  const logger = new Reporter(options.severity, write, inJournal(plainLine));
  const registries = {
    traffic: new TrafficRegistry(store, options.trafficPrefix),
    gateways: new GatewayRegistry(store, options.prefix),
    settings: new GatewaySettingsRegistry(store, options.prefix),
  };

  const { program, runDirectory, listen, tuning } = options;
  const openKeyPair = keyPairOpener(options.sealKey);
  const openProxy: GatewayOptions['openProxy'] = (onRequest) =>
    chosenProxy.open({ program, runDirectory, listen, openKeyPair, tuning, logger, onRequest });
  await runGateway({ ...options, ...registries, logger, ready, openProxy }, signal, endingOf);
}
