import { contests, parseRoute, type RoutedFrontend } from '../../route/index.ts';
import { contestText, parsePath, type Stored } from '../../traffic/index.ts';
import { routeOf } from './offer.ts';

/** Host names as they stand in routes; whether a route really is for one is decided by reading it. */
const NAMES = /\bHost\(\s*["`]([^"`]+)["`]/g;

/**
 * What keeps requests from the frontends that are wanted (host name by id): others for the same host that go first. One
 * line for each.
 */
export function contestedHosts(
  traffic: ReadonlyMap<string, Stored>,
  wanted: ReadonlyMap<string, string>,
): string[] {
  if (wanted.size === 0) return [];
  const hosts = new Set([...wanted.values()].map((host) => host.toLowerCase()));
  const found = new Map<
    string,
    { readonly route: string; readonly backend: unknown; readonly isMarked: boolean }
  >();
  const withServers = new Set<unknown>();
  for (const [path, { value }] of traffic) {
    const object = parsePath(path);
    if (object?.kind === 'server' && value?.Weight !== 0) withServers.add(object.parent);
    if (object?.kind !== 'frontend' || typeof value?.Route !== 'string') continue;
    const names = [...value.Route.matchAll(NAMES)].map(([, name = '']) => name.toLowerCase());
    if (!names.some((name) => hosts.has(name))) continue;
    found.set(object.id, {
      route: value.Route,
      backend: value.BackendId,
      isMarked: value.Registrator === true,
    });
  }
  for (const [id, host] of wanted)
    if (!found.has(id)) found.set(id, { route: routeOf(host), backend: id, isMarked: true });
  if (found.size === wanted.size && new Set(hosts).size === wanted.size) return [];

  const routed = [...found].flatMap(([id, { route, backend, isMarked }]): RoutedFrontend[] => {
    const read = readRoute(route);
    if (read === null) return [];
    return [{ id, route: read, yields: isMarked ? (withServers.has(backend) ? 1 : 2) : 0 }];
  });
  return contests(routed)
    .filter(({ id }) => wanted.has(id))
    .map((contest) => `frontend ${contest.id}: ${contestText(contest)}`);
}

function readRoute(text: string) {
  try {
    return parseRoute(text);
  } catch {
    return null;
  }
}
