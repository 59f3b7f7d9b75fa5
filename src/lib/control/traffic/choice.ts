/**
 * What commands do with frontends, backends and the rest of vulcand's model, and waiting until gateways serve it. It
 * must not know units or a proxy's words.
 */
import { ClusterError } from '../../error.ts';
import { quoteWord } from '../../shell-words.ts';
import {
  backendsNamed,
  type Frontend,
  switchable,
  type TrafficState,
  versionOf,
} from '../../traffic/index.ts';
import { notFound } from './write.ts';

/** What `frontend upsert` is to work on. */
export interface Choice {
  readonly frontend: string;
  readonly backend: string | undefined;
}

/**
 * Which frontend and backend are meant. `-b` is an id or the version of one backend; with no frontend it is the one
 * that now points at another version of the same application.
 * @throws `ambiguous-backend`, `ambiguous-frontend`, `no-frontend`, each with the full command for every candidate.
 */
export function chooseTarget(
  state: TrafficState,
  frontend: string | undefined,
  word: string | undefined,
): Choice {
  if (frontend !== undefined) return { frontend, backend: word && namedBackend(state, frontend, word) };
  if (word === undefined)
    throw new ClusterError('missing-id', 'supply valid  route, id, and backendId', {
      hint: 'cluster frontend upsert --id ID -b BACKEND --route ROUTE',
    });
  const backend = onlyBackend(state, backendsNamed(state.backends.keys(), word), word);
  return { frontend: onlyFrontend(state, backend), backend };
}

/** The backend that a version means for this frontend: that of its own application. */
function namedBackend(state: TrafficState, frontend: string, word: string): string {
  const found = backendsNamed(state.backends.keys(), word);
  const now = state.frontends.get(frontend)?.BackendId;
  const application = now === undefined ? undefined : versionOf(now)?.application;
  const same = found.filter((id) => application !== undefined && versionOf(id)?.application === application);
  if (found.length > 1 && same.length !== 1)
    throw ambiguousBackend(
      word,
      found.map((id) => command(frontend, id)),
      found,
    );
  return (found.length > 1 ? same[0] : found[0]) ?? word;
}

function onlyBackend(state: TrafficState, found: readonly string[], word: string): string {
  const [only, second] = found;
  if (only === undefined) throw notFound('backend', word, words(state));
  if (second === undefined) return only;
  const commands = found.flatMap((backend) => {
    const { elsewhere } = switchable(state, backend);
    return elsewhere.length === 0
      ? [command('ID', backend)]
      : elsewhere.map(({ Id }) => command(Id, backend));
  });
  throw ambiguousBackend(word, commands, found);
}

function onlyFrontend(state: TrafficState, backend: string): string {
  const { elsewhere, here } = switchable(state, backend);
  const [only, second] = elsewhere;
  if (only !== undefined && second === undefined) return only.Id;
  if (second !== undefined)
    throw new ClusterError(
      'ambiguous-frontend',
      `${elsewhere.length} frontends point at another version of ${versionOf(backend)?.application}: ${elsewhere
        .map(({ Id, BackendId }) => `${Id} (${BackendId})`)
        .join(', ')}`,
      { hint: elsewhere.map(({ Id }: Frontend) => command(Id, backend)).join('; or ') },
    );
  const already = here[0];
  if (already !== undefined && here.length === 1) return already.Id;
  throw new ClusterError(
    'no-frontend',
    already === undefined
      ? `no frontend points at another version of ${versionOf(backend)?.application ?? backend}`
      : `${here.length} frontends point at ${backend} already, none at another version: ${here
          .map(({ Id }) => Id)
          .join(', ')}`,
    {
      hint: `cluster frontend upsert --id ID -b ${quoteWord(backend)} --route 'Host("NAME") && PathRegexp(".*")'`,
    },
  );
}

function ambiguousBackend(word: string, commands: readonly string[], found: readonly string[]): ClusterError {
  return new ClusterError('ambiguous-backend', `${word} fits ${found.length} backends: ${found.join(', ')}`, {
    hint: commands.join('; or '),
  });
}

/** What could have been typed: ids, and versions. */
function words(state: TrafficState): string[] {
  return [...state.backends.keys()].flatMap((id) => [id, versionOf(id)?.version ?? id]);
}

const command = (frontend: string, backend: string): string =>
  `cluster frontend upsert --id ${quoteWord(frontend)} -b ${quoteWord(backend)}`;
