import { ClusterError } from '../../error.ts';
import type { SwitchRecord } from '../../registry/index.ts';
import { quoteWord } from '../../shell-words.ts';
import { pathOf } from '../../traffic/index.ts';
import type { Session } from '../session.ts';
import { type FrontendChange, type FrontendRequest, upsertFrontend } from './frontend.ts';
import type { Served } from './wait.ts';
import { existing, loadTraffic } from './write.ts';

/** Switches of this frontend, or of all of them, newest first. */
export async function history(session: Session, frontend: string | undefined): Promise<SwitchRecord[]> {
  const switches = await session.switches();
  if (frontend !== undefined) {
    nonEmpty(frontend, 'history');
    const traffic = await loadTraffic(session);
    const path = pathOf({ kind: 'frontend', id: frontend });
    existing(traffic, 'frontend', frontend, traffic.state.frontends, path);
    return switches.load(frontend);
  }
  const ids = await switches.frontends();
  const all = await Promise.all(ids.map((id) => switches.load(id)));
  return all.flat().sort((a, b) => (a.when < b.when ? 1 : a.when > b.when ? -1 : 0));
}

type RollbackRequest = Omit<FrontendRequest, 'backend' | 'said' | 'ttl'>;

/** Points a frontend at the backend it had before; that is a switch like any other. */
export async function rollback(
  session: Session,
  request: RollbackRequest,
  written: (change: FrontendChange) => void,
): Promise<Served | null> {
  const id = request.id ?? (await onlySwitched(session));
  nonEmpty(id, 'rollback');
  const traffic = await loadTraffic(session);
  const path = pathOf({ kind: 'frontend', id });
  const { BackendId: now } = existing(traffic, 'frontend', id, traffic.state.frontends, path);
  const [last] = await (await session.switches()).load(id);
  // Somebody else's program may have moved it since: then what we know last is what was before.
  const previous = last?.to === now ? last.from : (last?.to ?? null);
  if (previous === null)
    throw new ClusterError('no-history', `no switch of ${id} is remembered`, {
      hint: `cluster frontend upsert --id ${quoteWord(id)} -b BACKEND`,
    });
  return upsertFrontend(session, { ...request, id, backend: previous, said: {} }, written, traffic);
}

function nonEmpty(id: string, verb: string): void {
  if (id === '')
    throw new ClusterError('missing-id', 'frontend id can not be empty', {
      hint: `cluster frontend ${verb} ID`,
    });
}

async function onlySwitched(session: Session): Promise<string> {
  const ids = await (await session.switches()).frontends();
  const [only, second] = ids;
  if (only === undefined)
    throw new ClusterError('no-history', 'no switch of any frontend is remembered', {
      hint: 'cluster frontend ls',
    });
  if (second === undefined) return only;
  throw new ClusterError('ambiguous-frontend', `${ids.length} frontends were switched: ${ids.join(', ')}`, {
    hint: ids.map((id) => `cluster frontend rollback ${quoteWord(id)}`).join('; or '),
  });
}
