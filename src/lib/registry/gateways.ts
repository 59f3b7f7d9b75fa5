import type { Store } from '../store/port.ts';

/** A running gateway, as it says itself; on a lease, so that a dead one is not waited for. */
export interface GatewayRecord {
  readonly v: 1;
  /** machine-id, or a host name where there is none. */
  readonly machine: string;
  readonly hostname: string;
  readonly address: string | null;
  /** host:port of its own HTTP interface, on the machine's loopback. */
  readonly admin: string;
  readonly version: string;
  /** Revision of the traffic registry that it serves now. */
  readonly revision: number;
}

/** One switch of a frontend, for `history` and `rollback`. */
export interface SwitchRecord {
  readonly v: 1;
  readonly frontend: string;
  readonly from: string | null;
  readonly to: string;
  /** user@computer. */
  readonly who: string;
  /** ISO 8601, UTC. */
  readonly when: string;
}

/** What operators tell all gateways. */
export interface GatewaySettings {
  readonly v: 1;
  readonly severity: 'debug' | 'info' | 'warning' | 'error';
}

/** Keys of the gateways and of switches, below the cluster's own prefix. */
export const gatewayKey = (prefix: string, machine: string): string =>
  `${trimmed(prefix)}/gateways/${machine}`;
export const gatewaysPrefix = (prefix: string): string => `${trimmed(prefix)}/gateways/`;
export const gatewaySettingsKey = (prefix: string): string => `${trimmed(prefix)}/gateway-settings`;
export const switchesPrefix = (prefix: string, frontend: string): string =>
  `${trimmed(prefix)}/switches/${frontend}/`;

const trimmed = (prefix: string): string => prefix.replace(/\/$/, '');

/** All gateways that are alive, by machine; values that do not read well are left out. */
export async function loadGateways(store: Store, prefix: string): Promise<GatewayRecord[]> {
  const { entries } = await store.range(gatewaysPrefix(prefix));
  return entries.flatMap(({ value }) => readGateway(value) ?? []);
}

/** null for what is no gateway's record. */
export function readGateway(value: string): GatewayRecord | null {
  try {
    const record = JSON.parse(value) as GatewayRecord;
    const fine =
      record.v === 1 && typeof record.machine === 'string' && Number.isSafeInteger(record.revision);
    return fine ? record : null;
  } catch {
    return null;
  }
}
