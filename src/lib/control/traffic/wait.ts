import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError } from '../../error.ts';
import type { GatewayRecord, GatewayRegistry } from '../../registry/index.ts';
import { durationMs } from '../../traffic/index.ts';
import type { Session } from '../session.ts';

export interface Served {
  readonly gateways: number;
  /** Since the wait began. */
  readonly ms: number;
}

/** Whether and how long a command waits until gateways serve what it wrote. */
export interface WaitRequest {
  /** undefined: wait when there are gateways. */
  readonly wait: boolean | undefined;
  /** A Go duration. */
  readonly waitTimeout: string;
}

/** Reads the time to wait before anything is written. @throws `bad-duration`. */
export function waiterFor({
  wait,
  waitTimeout,
}: WaitRequest): (session: Session, revision: number) => Promise<Served | null> {
  const timeoutMs = durationMs('--wait-timeout', waitTimeout);
  return async (session, revision) => {
    if (wait === false) return null;
    const served = await waitForGateways(await session.gateways(), revision, timeoutMs);
    if (served === null && wait)
      session.emit({ kind: 'warning', message: 'no gateway is registered: nobody to wait for' });
    return served;
  };
}

/** Milliseconds between two looks: at first next to none, since most gateways need a few. */
const LOOK = { first: 2, last: 100, growth: 1.3 };

/**
 * Returns when every live gateway serves `revision`; null where none is registered. It looks again and again: etcd
 * serves a watch that begins in the past only each 100 ms, and a switch takes less.
 * @throws `gateway-lagging` that names those that do not after `timeoutMs`.
 */
export async function waitForGateways(
  registry: GatewayRegistry,
  revision: number,
  timeoutMs: number,
): Promise<Served | null> {
  const started = performance.now();
  for (let pause = LOOK.first, first = true; ; first = false) {
    const gateways = [...(await registry.load()).gateways.values()];
    const passed = performance.now() - started;
    if (first && gateways.length === 0) return null;
    const behind = gateways.filter((gateway) => gateway.revision < revision);
    if (behind.length === 0) return { gateways: gateways.length, ms: Math.round(passed * 10) / 10 };
    if (passed >= timeoutMs) throw lagging(behind, gateways.length, timeoutMs);
    await sleep(Math.min(pause, timeoutMs - passed));
    pause = Math.min(pause * LOOK.growth, LOOK.last);
  }
}

function lagging(behind: readonly GatewayRecord[], all: number, timeoutMs: number): ClusterError {
  const names = behind.map(({ hostname, machine, admin }) => {
    const several = behind.filter((other) => other.machine === machine).length > 1;
    return `${hostname} (${machine.slice(0, 8)}${several ? `, ${admin}` : ''})`;
  });
  return new ClusterError(
    'gateway-lagging',
    `after ${timeoutMs / 1000} s, ${behind.length} of ${all} gateways do not serve it yet: ${names.sort().join(', ')}`,
    { hint: 'the change stands in the registry; see cluster gateway status' },
  );
}
