import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError } from '../../error.ts';
import { durationMs, newBackend, pathOf, type TrafficState, usableServers } from '../../traffic/index.ts';
import type { Session } from '../session.ts';
import { chooseTarget } from './choice.ts';
import { loadTraffic, type Traffic } from './write.ts';

export interface BackendWait {
  readonly id: string | undefined;
  /** A backend's id, or the version of one. */
  readonly backend: string | undefined;
  /** A Go duration. undefined: wait the usual time, and only for a backend whose instances are being checked. */
  readonly waitBackend: string | undefined;
}

const USUAL = '30s';
const LOOK_MS = 250;

/** Ids of a service's instances on all machines, by the service's name; healthy or not. */
type Instances = ReadonlyMap<string, readonly string[]>;

/**
 * Reads everything; where the backend that is meant has no server yet but will get one, looks again until it has, or the
 * time is over. What is missing then is for the caller to find. @throws `bad-duration`.
 */
export async function loadWithBackend(session: Session, request: BackendWait): Promise<Traffic> {
  const timeoutMs = durationMs('--wait-backend', request.waitBackend ?? USUAL);
  const started = performance.now();
  let traffic = await loadTraffic(session);
  if (request.backend === undefined || timeoutMs === 0) return traffic;
  for (let announced = ''; ; ) {
    const waiting = waitingFor(traffic.state, await instances(session), request);
    const passed = performance.now() - started;
    if (waiting === null || passed >= timeoutMs) return traffic;
    if (waiting !== announced) session.emit({ kind: 'waiting', message: waiting });
    announced = waiting;
    await sleep(Math.min(LOOK_MS, timeoutMs - passed));
    traffic = { ...traffic, state: await traffic.registry.load() };
  }
}

/** What keeps the backend from being ready, for a person; null = there is nothing to wait for. */
export function waitingFor(
  state: TrafficState,
  running: Instances,
  { id, backend: word, waitBackend }: BackendWait,
): string | null {
  const asked = waitBackend !== undefined;
  const backend = chosen(state, running, id, word);
  if (backend === null) return asked ? `waiting for backend ${word}: it does not exist yet` : null;
  const current = id === undefined ? undefined : state.frontends.get(id)?.BackendId;
  const exists = state.stored.has(pathOf({ kind: 'backend', id: backend }));
  if ((exists && usableServers(state, backend) > 0) || current === backend) return null;
  const ids = running.get(backend) ?? [];
  if (ids.length > 0) return `waiting for backend ${backend}: being checked: ${listed(ids)}`;
  if (!asked) return null;
  return `waiting for backend ${backend}: it ${exists ? 'has no server' : 'does not exist'} yet`;
}

/** The backend that is meant, which may be one that only has instances yet. null = there is none, or it is not clear. */
function chosen(
  state: TrafficState,
  running: Instances,
  id: string | undefined,
  word: string | undefined,
): string | null {
  const coming = [...running.keys()].map((name) => [name, newBackend(name)] as const);
  try {
    const target = chooseTarget({ ...state, backends: new Map([...coming, ...state.backends]) }, id, word);
    const known =
      target.backend !== undefined && (state.backends.has(target.backend) || running.has(target.backend));
    return known ? (target.backend ?? null) : null;
  } catch (error) {
    if (error instanceof ClusterError) return null;
    throw error;
  }
}

async function instances(session: Session): Promise<Instances> {
  const { objects } = await (await session.services()).load('presence');
  const out = new Map<string, string[]>();
  for (const path of objects.keys()) {
    const [name = '', id = ''] = path.split('/');
    out.set(name, [...(out.get(name) ?? []), id]);
  }
  return out;
}

const MOST_LISTED = 5;

function listed(ids: readonly string[]): string {
  const more = ids.length - MOST_LISTED;
  return `${ids.toSorted().slice(0, MOST_LISTED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
