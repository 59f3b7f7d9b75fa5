import { ClusterError } from '../../error.ts';
import type { Listener, TrafficState } from '../../traffic/index.ts';
import { changedPaths } from '../offenders.ts';
import type { Refusal } from '../proxy.ts';

/** Why `wanted` was not put into effect, where `before` is served (null = not known). */
export function refusalOf(error: unknown, before: TrafficState | null, wanted: TrafficState): Refusal {
  const why = error instanceof Error ? error : new Error(String(error));
  const isFatal = error instanceof ClusterError && ['haproxy-start', 'haproxy-missing'].includes(error.code);
  return { kind: 'refused', why, isFatal, paths: pathsAtFault(why, before, wanted) };
}

function pathsAtFault(error: Error, before: TrafficState | null, wanted: TrafficState): string[] | null {
  switch (error instanceof ClusterError ? error.code : '') {
    case 'haproxy-missing':
    case 'bad-run-directory':
      return [];
    // HAProxy's check does not try addresses: only a new worker that really listens finds out that one is taken.
    case 'haproxy-reload':
    case 'haproxy-start': {
      const changed = changedPaths(before, wanted).filter((path) => path.startsWith('listeners/'));
      const named = listenersNamed(wanted, error.message).filter((path) => changed.includes(path));
      if (named.length > 0) return named;
      return error instanceof ClusterError && error.code === 'haproxy-reload' ? changed : [];
    }
    case 'haproxy-config':
      return null;
    default:
      // A system call that failed is not the state's fault; anything else may be.
      return 'syscall' in error ? [] : null;
  }
}

/** Paths of the listeners whose port is in a message about an address, HAProxy's own or ours. */
function listenersNamed({ listeners }: TrafficState, message: string): string[] {
  const ports = new Set(
    [...message.matchAll(/(?:for \[|listen on )\S*:(\d+)(?=\]|: )/g)].map(([, port]) => port),
  );
  const socket = /listen on \S*\/([\w.-]+): /.exec(message)?.[1];
  const isNamed = ({ Network, Address }: Listener['Address']): boolean =>
    Network === 'unix' ? Address.split('/').at(-1) === socket : ports.has(/:(\d+)$/.exec(Address)?.[1]);
  return [...listeners.values()].filter(({ Address }) => isNamed(Address)).map(({ Id }) => `listeners/${Id}`);
}
