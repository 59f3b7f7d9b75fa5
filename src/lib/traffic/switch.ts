import type { Frontend, TrafficState } from './model.ts';
import { pathOf } from './path.ts';
import { isMarked } from './yields.ts';

/** What a backend's id says: the application, and which version of it. */
export interface VersionOf {
  readonly application: string;
  readonly version: string;
}

/** Numbers with what follows them, a commit's hash, or the words that people use for two sides. */
const VERSION =
  /^(?:v?\d+(?:\.\w+)*(?:[-+](?!v\d)[\w.+-]+)?|(?=[a-f]*\d)[0-9a-f]{7,40}|blue|green|canary|stable)$/i;

/** `demo-application-v0.2.0` is version `v0.2.0` of `demo-application`; null for an id with no version. */
export function versionOf(backend: string): VersionOf | null {
  for (const { index } of backend.matchAll(/[-_@.]/g)) {
    const version = backend.slice(index + 1);
    if (index > 0 && VERSION.test(version)) return { application: backend.slice(0, index), version };
  }
  return null;
}

/** The backends that `-b WORD` may mean: the one with this id, else those of which it is the version. */
export function backendsNamed(backends: Iterable<string>, word: string): string[] {
  const all = [...backends];
  if (all.includes(word)) return [word];
  return all.filter((id) => versionOf(id)?.version === word).sort();
}

/** Did the registrator make it? Those serve one version or one instance, and are never switched. */
export function madeByRegistrator(state: TrafficState, frontend: Frontend): boolean {
  return frontend.Id === frontend.BackendId || isMarked(state, frontend);
}

/** Frontends of the same application as this backend. */
export interface Switchable {
  /** They point at another version of it now. */
  readonly elsewhere: readonly Frontend[];
  /** They point at it already. */
  readonly here: readonly Frontend[];
}

/** Which frontends could be switched to this backend. */
export function switchable(state: TrafficState, backend: string): Switchable {
  const application = versionOf(backend)?.application;
  const ours = [...state.frontends.values()]
    .filter((frontend) => !madeByRegistrator(state, frontend))
    .sort((a, b) => (a.Id < b.Id ? -1 : 1));
  const here = ours.filter((frontend) => frontend.BackendId === backend);
  if (application === undefined) return { elsewhere: [], here };
  const elsewhere = ours.filter(
    ({ BackendId }) => BackendId !== backend && versionOf(BackendId)?.application === application,
  );
  return { elsewhere, here };
}

/** Servers of a backend that get requests; the registrator takes sick ones out. */
export function usableServers(state: TrafficState, backend: string): number {
  return [...(state.servers.get(backend)?.values() ?? [])].filter(({ Weight }) => Weight > 0).length;
}

/** Ids of all frontends that point at it, also of those that do not read well otherwise. */
export function frontendsOf(state: TrafficState, backend: string): string[] {
  const ids: string[] = [];
  for (const [path, { value }] of state.stored) {
    const id = /^frontends\/([^/]+)\/frontend$/.exec(path)?.[1];
    if (id !== undefined && value?.BackendId === backend) ids.push(id);
  }
  return ids.sort();
}

/** Every key that goes with an object: it comes last, what belongs to it and nothing else before. */
export function pathsOf(
  state: TrafficState,
  kind: 'backend' | 'frontend',
  id: string,
): { own: string; children: string[] } {
  const below = kind === 'backend' ? `backends/${id}/servers/` : `frontends/${id}/middlewares/`;
  const children = [...state.stored.keys()].filter(
    (path) => path.startsWith(below) && !path.slice(below.length).includes('/'),
  );
  return { own: pathOf({ kind, id }), children };
}
