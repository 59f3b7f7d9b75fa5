import { Flags } from '@oclif/core';
import { count, text } from '../flags.ts';

/** What an operator sets about HAProxy on one machine. */
export const tuningFlags = {
  'proxy-user': text(
    'proxy-user',
    "user that HAProxy's workers run as, where the gateway is root: haproxy where there is one; '': as the gateway",
  ),
  'max-header-bytes': Flags.integer({
    description: "most bytes of a request's header; one with more is answered 431",
    env: 'CLUSTER_MAX_HEADER_BYTES',
    default: 16_384,
    min: 1024,
    max: 1_048_576,
  }),
  'max-headers': Flags.integer({
    description: "most lines of a request's header",
    env: 'CLUSTER_MAX_HEADERS',
    default: 100,
    min: 10,
    max: 16_000,
  }),
  'drain-time': Flags.string({
    description: 'how long connections may go on that HAProxy holds from before a reload',
    env: 'CLUSTER_DRAIN_TIME',
    default: '6h',
  }),
  'max-draining': count('max-draining', 'most HAProxy workers that only finish such connections', { min: 1 }),
};

interface Tuning {
  readonly 'proxy-user'?: string | undefined;
  readonly 'max-header-bytes': number;
  readonly 'max-headers': number;
  readonly 'drain-time': string;
  readonly 'max-draining'?: number | undefined;
}

/** @throws ClusterError `bad-duration`. */
export async function tuningOf(flags: Tuning, runDirectory: string) {
  const { durationMs } = await import('../lib/gateway/index.ts');
  return {
    user: flags['proxy-user'] ?? null,
    maxHeaderBytes: flags['max-header-bytes'],
    maxHeaders: flags['max-headers'],
    drainMs: Math.max(1000, durationMs('--drain-time', flags['drain-time'])),
    maxDraining: flags['max-draining'] ?? 10,
    listenerDirectory: `${runDirectory}/listeners`,
  };
}
