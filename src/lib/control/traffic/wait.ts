import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError } from '../../error.ts';
import type { GatewayRecord, GatewayRegistry } from '../../registry/index.ts';

export interface Served {
  readonly gateways: number;
  /** Since the wait began. */
  readonly ms: number;
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
  const names = behind.map(({ hostname, machine }) => `${hostname} (${machine.slice(0, 8)})`).sort();
  return new ClusterError(
    'gateway-lagging',
    `after ${timeoutMs / 1000} s, ${behind.length} of ${all} gateways do not serve it yet: ${names.join(', ')}`,
    { hint: 'the change stands in the registry; see cluster gateway status' },
  );
}
