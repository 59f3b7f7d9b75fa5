import { ClusterError, EXIT } from '../error.ts';
import type { Problem } from '../registry/index.ts';
import type { Session } from './session.ts';

/** Keys of the registry whose values cannot be read: of machines, units and their files, rollouts, and traffic. */
export async function registryProblems(session: Session): Promise<readonly Problem[]> {
  const [state, traffic, rollouts] = await Promise.all([
    session.registry().then((registry) => registry.load()),
    session.traffic().then((registry) => registry.load()),
    session.rollouts().then((registry) => registry.load()),
  ]);
  const all: Problem[] = [...state.problems, ...traffic.problems.values(), ...rollouts.problems];
  return all.sort((a, b) => (a.key < b.key ? -1 : 1));
}

/**
 * Removes a key whose value cannot be read.
 * @returns what was wrong with it.
 * @throws `key-readable` for any other key, `changed-meanwhile` when somebody mended it at the same moment.
 */
export async function removeProblem(session: Session, given: string): Promise<Problem> {
  const key = keyOf(given);
  const problems = await registryProblems(session);
  const problem = problems.find((one) => one.key === key);
  if (problem === undefined || problem.follows === true) {
    const why = problem === undefined ? 'nothing is wrong with it' : problem.message;
    throw new ClusterError('key-readable', `${key} is not removed: ${why}`, {
      key,
      hint:
        problem === undefined
          ? 'cluster registry problems lists the keys that cannot be read; units go with cluster destroy'
          : 'remove or mend the key that it rests on first; cluster registry problems lists both',
    });
  }
  const store = await session.store();
  const entry = await store.get(key);
  const revision = entry?.revision ?? 0;
  const done =
    revision > 0 && (await store.commit({ compare: [{ key, revision }], writes: [{ remove: key }] }));
  if (typeof done === 'number') return problem;
  throw new ClusterError('changed-meanwhile', `somebody else changed ${key} at the same moment`, {
    key,
    hint: 'nothing was removed; look again with cluster registry problems',
    exit: EXIT.conflict,
  });
}

/** A key as it is, or as JSON text: nobody can type one with control characters in it. */
function keyOf(given: string): string {
  if (!given.startsWith('"')) return given;
  try {
    return String(JSON.parse(given));
  } catch {
    return given;
  }
}
