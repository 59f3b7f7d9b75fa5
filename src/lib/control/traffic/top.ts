import { ClusterError } from '../../error.ts';
import type { TopRow } from '../../gateway/index.ts';
import { type Frontend, pathOf, type Server } from '../../traffic/index.ts';
import type { Session } from '../session.ts';
import { gatewayTop } from './gateways.ts';
import { loadTraffic, notFound } from './write.ts';

/** An object of the registry and its figures from the gateways; null = no gateway has any. */
export interface Busy<Item> {
  readonly object: Item;
  readonly figures: TopRow | null;
}

export interface TrafficTop {
  readonly frontends: readonly Busy<Frontend>[];
  readonly servers: readonly Busy<Server>[];
  /** Of gateways that did not answer. */
  readonly errors: readonly ClusterError[];
}

/** Frontends and servers of the registry, busiest first, at most `limit` of each (0 = all), of one backend if given. */
export async function trafficTop(
  session: Session,
  backend: string | undefined,
  limit: number,
): Promise<TrafficTop> {
  const { state } = await loadTraffic(session);
  const known = (id: string): boolean =>
    state.servers.has(id) || state.stored.has(pathOf({ kind: 'backend', id }));
  if (backend !== undefined && !known(backend)) throw notFound('backend', backend, state.backends.keys());
  const { frontends: front, servers: back, errors } = await figuresOf(session);
  const frontends = [...state.frontends.values()]
    .filter(({ BackendId }) => backend === undefined || BackendId === backend)
    .map((object) => ({ object, figures: front.get(object.Id) ?? null }));
  const servers = [...state.servers]
    .filter(([id]) => backend === undefined || id === backend)
    .flatMap(([id, all]) =>
      [...all.values()].map((object) => ({ object, figures: back.get(`${id}/${object.Id}`) ?? null })),
    );
  return { frontends: busiest(frontends, limit), servers: busiest(servers, limit), errors };
}

async function figuresOf(session: Session) {
  try {
    const { top, errors } = await gatewayTop(session);
    const frontends = new Map(top.frontends.map((row) => [row.id, row]));
    const servers = new Map(top.servers.map((row) => [`${row.backend}/${row.id}`, row]));
    return { frontends, servers, errors };
  } catch (error) {
    if (!(error instanceof ClusterError) || error.code !== 'no-gateways') throw error;
    session.emit({ kind: 'warning', message: `${error.message}: there are no figures` });
    const none: ReadonlyMap<string, TopRow> = new Map();
    return { frontends: none, servers: none, errors: [] };
  }
}

function busiest<Item extends { readonly Id: string }>(
  rows: readonly Busy<Item>[],
  limit: number,
): Busy<Item>[] {
  const rate = ({ figures }: Busy<Item>): number => figures?.perSecond ?? -1;
  const sorted = [...rows].sort((a, b) => rate(b) - rate(a) || (a.object.Id < b.object.Id ? -1 : 1));
  return limit > 0 ? sorted.slice(0, limit) : sorted;
}
