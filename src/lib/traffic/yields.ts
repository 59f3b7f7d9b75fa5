import { type Contest, contests, parseRoute, type RoutedFrontend } from '../route/index.ts';
import type { Frontend, TrafficState } from './model.ts';
import { pathOf } from './path.ts';

/** Whether it carries the mark that registrators set on what they make. */
export function isMarked(state: TrafficState, { Id }: Pick<Frontend, 'Id'>): boolean {
  return state.stored.get(pathOf({ kind: 'frontend', id: Id }))?.value?.Registrator === true;
}

/**
 * Who goes first where two frontends are for the same host: an operator's (0), then a registrator's whose backend has a
 * server that takes requests (1), then one whose backend has none (2).
 */
export function yieldsOf(state: TrafficState, frontend: Frontend): 0 | 1 | 2 {
  if (!isMarked(state, frontend)) return 0;
  for (const { Weight } of state.servers.get(frontend.BackendId)?.values() ?? []) if (Weight > 0) return 1;
  return 2;
}

/** All frontends as the route room orders them. */
export function routedFrontends(state: TrafficState): RoutedFrontend[] {
  return [...state.frontends.values()].map((frontend) => ({
    id: frontend.Id,
    route: parseRoute(frontend.Route),
    yields: yieldsOf(state, frontend),
  }));
}

/** What a contest means for the frontend that yields. */
export function contestText({ winner, host, whole, equals }: Contest): string {
  if (equals)
    return `it is for ${host} as frontend ${winner} is, also a registrator's, which gets the requests`;
  const who = `frontend ${winner}, which an operator made`;
  return whole
    ? `it gets no request: all of ${host} goes to ${who}`
    : `requests for ${host} that both match go to ${who}`;
}

/** The contests that a frontend has part in, as it is written, or would be. */
export function contestsOf(state: TrafficState, frontend: Frontend): Contest[] {
  const frontends = new Map(state.frontends).set(frontend.Id, frontend);
  const { Id } = frontend;
  const all = contests(routedFrontends({ ...state, frontends }));
  return all.filter(({ id, winner }) => id === Id || winner === Id);
}

/** Frontends of registrators that go after another one for the same host, by id: what that means for them. */
export function contested(state: TrafficState): ReadonlyMap<string, string> {
  return new Map(contests(routedFrontends(state)).map((contest) => [contest.id, contestText(contest)]));
}
