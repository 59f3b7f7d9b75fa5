import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError } from '../../error.ts';
import {
  type Announced,
  type GatewayRecord,
  type MachineRecord,
  type Presence,
  type RegistryState,
  readPresence,
} from '../../registry/index.ts';
import type { Rollout } from '../../rollout/index.ts';
import { parsePath, pathOf, type Stored } from '../../traffic/index.ts';
import { type Announces, announcesOf, parseUnitFile } from '../../unit/index.ts';
import type { Session } from '../session.ts';
import { gatewayTop } from '../traffic/gateways.ts';
import { waitForGateways } from '../traffic/wait.ts';

/** What is announced on all machines, and which gateways run, at one moment. */
export interface Servers {
  readonly announced: Announced;
  readonly gateways: readonly GatewayRecord[];
}

/** A server of a backend that stands for a unit on a machine. */
export interface UnitServer {
  /** `backends/BACKEND/servers/ID` */
  readonly path: string;
  readonly backend: string;
  readonly id: string;
  /** The instance that a registrator announces, and the path of its presence; null = the unit announces itself. */
  readonly instance: { readonly path: string; readonly presence: Presence } | null;
  /** What gateways are to have; null = nothing, such as while its check is bad. */
  readonly stored: Stored | null;
}

/** Reads what is announced; null = no registrator and no gateway runs, so that nothing has to be asked or waited for. */
export async function readServers(session: Session): Promise<Servers | null> {
  const [{ gateways }, announced] = await Promise.all([
    (await session.gateways()).load(),
    (await session.services()).announced(),
  ]);
  if (gateways.size === 0 && announced.presence.size === 0) return null;
  return { announced, gateways: [...gateways.values()] };
}

/** Whether anything is or could be announced for a unit of a rollout, so that it is worth asking about. */
export async function mattersTo(
  session: Session,
  state: RegistryState,
  { items }: Pick<Rollout, 'items'>,
  files: ReadonlyMap<string, string>,
): Promise<boolean> {
  const servers = await readServers(session);
  if (servers === null) return false;
  const units = new Set(items.map(({ unit }) => unit));
  const instances = [...servers.announced.presence.values()].map(({ value }) => readPresence(value)?.unit);
  if (instances.some((unit) => unit !== undefined && units.has(unit))) return true;
  const facts = { hostname: '', machineId: '' };
  const names = (unit: string, hash: string): boolean => {
    const text = files.get(hash) ?? state.files.get(hash);
    if (text === undefined) return false;
    const named = announcesOf(unit, parseUnitFile(text), facts);
    return named.containers.size + named.services.size + named.servers.size > 0;
  };
  const sidekicks = sidekicksOf(state);
  return items.some(
    ({ unit, from, to }) =>
      sidekicks.has(unit) || names(unit, to.hash) || (from !== null && names(unit, from.hash)),
  );
}

/**
 * The servers that stand for a unit on a machine: of each container there that says so (`SERVICE_UNIT`) or that a command of
 * the unit names (`--name`, `SERVICE_ID`), and each that a command of the unit, or of one that is bound to it, writes on a lease.
 * @param texts files that the unit has or had there, such as the installed one; by default the one that the registry wants.
 */
export function serversOf(
  { announced }: Servers,
  state: RegistryState,
  unit: string,
  { id: machine, facts }: MachineRecord,
  texts: readonly string[] = textsOf(state, unit),
): UnitServer[] {
  const named = texts.map((text) => announcesOf(unit, parseUnitFile(text), facts));
  const ofContainers = [...announced.presence].flatMap(([path, { value }]): UnitServer[] => {
    const presence = readPresence(value);
    if (presence === null || presence.machine !== machine || !isBalanced(presence)) return [];
    const [backend = '', id = ''] = path.split('/');
    if (!isOf(unit, named, id, presence)) return [];
    const server = pathOf({ kind: 'server', parent: backend, id });
    const stored = announced.traffic.get(server) ?? null;
    return [{ path: server, backend, id, instance: { path, presence }, stored }];
  });
  return [...ofContainers, ...ownServers(announced, state, unit, facts, named)];
}

const isBalanced = ({ host, balanced }: Presence): boolean => host !== null || balanced === true;

const textsOf = ({ units, files }: RegistryState, unit: string): string[] => {
  const text = files.get(units.get(unit)?.hash ?? '');
  return text === undefined ? [] : [text];
};

function isOf(unit: string, named: readonly Announces[], id: string, presence: Presence): boolean {
  if (presence.unit !== undefined) return presence.unit === unit;
  // Earlier releases do not say the container's name, but it is part of an id that nobody gave.
  const name = presence.name ?? id.split(':')[1] ?? '';
  return named.some(({ containers, services }) => containers.has(name) || services.has(id));
}

/**
 * Servers that the unit or a sidekick announces without a registrator. Only such on a lease: somebody says those again if
 * the unit stays, and takes them away itself otherwise.
 */
function ownServers(
  { traffic, presence }: Announced,
  state: RegistryState,
  unit: string,
  facts: MachineRecord['facts'],
  named: readonly Announces[],
): UnitServer[] {
  const candidates = [...traffic].flatMap(([path, stored]): UnitServer[] => {
    const object = parsePath(path);
    if (object?.kind !== 'server' || stored.lease === null) return [];
    const { parent: backend, id } = object;
    const isRegistrators = presence.has(`${backend}/${id}`) || backend === id;
    return isRegistrators ? [] : [{ path, backend, id, instance: null, stored }];
  });
  if (candidates.length === 0) return [];
  const sidekicks = (sidekicksOf(state).get(unit) ?? []).flatMap((other) =>
    textsOf(state, other).map((text) => announcesOf(other, parseUnitFile(text), facts)),
  );
  const all = [...named, ...sidekicks];
  return candidates.filter(({ backend, id }) => all.some(({ servers }) => servers.has(`${backend}/${id}`)));
}

const BINDS = /^\s*(?:BindsTo|PartOf|MachineOf)\s*=\s*(.*)$/gm;
const knownSidekicks = new WeakMap<RegistryState, ReadonlyMap<string, readonly string[]>>();

/** Units that announce a server and go where another unit goes, by that unit. */
function sidekicksOf(state: RegistryState): ReadonlyMap<string, readonly string[]> {
  const known = knownSidekicks.get(state);
  if (known !== undefined) return known;
  const out = new Map<string, string[]>();
  for (const other of state.units.keys()) {
    const [text = ''] = textsOf(state, other);
    if (!text.includes('/servers/') && !text.includes('server upsert')) continue;
    const instance = /@(.*)\.[a-z]+$/.exec(other)?.[1] ?? '';
    const leaders = [...text.matchAll(BINDS)].flatMap(([, names = '']) =>
      names.replaceAll('%i', instance).split(/\s+/),
    );
    for (const leader of new Set(leaders)) out.set(leader, [...(out.get(leader) ?? []), other]);
  }
  knownSidekicks.set(state, out);
  return out;
}

export interface LeaveOptions {
  /** Id of a lease that lives until the units have stopped: if it ends before, the servers come back. */
  readonly lease: string;
  /** How long requests to the servers may take to end, in milliseconds. */
  readonly drainMs: number;
  readonly signal?: AbortSignal;
}

/** How long registrators may take to take a server away, and then gateways to serve without it. */
const TAKEN_MS = 5_000;

/**
 * Takes servers out of all gateways before their units stop: no new request comes, and those that are under way have ended, or
 * had `drainMs` to. What cannot be waited for is said as a warning, and never keeps a unit from being stopped.
 */
export async function leave(
  session: Session,
  servers: readonly UnitServer[],
  { lease, drainMs, signal }: LeaveOptions,
): Promise<void> {
  const leaving = servers.filter(({ stored }) => stored !== null);
  const gateways = await session.gateways();
  if (leaving.length === 0 || (await gateways.load()).gateways.size === 0) return;
  const revision = await takeOut(session, leaving, lease, signal);
  try {
    await waitForGateways(gateways, revision, TAKEN_MS);
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    session.emit({ kind: 'warning', message: error.message });
  }
  await requestsEnd(session, leaving, drainMs, signal);
}

/** The instances may be announced again; of what has stopped since there is nothing to announce. */
export async function stay(session: Session, servers: readonly UnitServer[]): Promise<void> {
  const paths = servers.flatMap(({ instance }) => instance?.path ?? []);
  if (paths.length > 0) await (await session.services()).unsetLeaving(paths);
}

/** @returns the revision at which the last of them was gone. */
async function takeOut(
  session: Session,
  leaving: readonly UnitServer[],
  lease: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  const registry = await session.services();
  const before = await registry.announced();
  const left = new Set(leaving.map(({ path }) => path).filter((path) => before.traffic.has(path)));
  await registry.setLeaving(
    new Map(leaving.flatMap(({ instance }) => (instance ? [[instance.path, instance.presence]] : []))),
    lease,
  );
  for (const { path, instance } of leaving)
    if (instance === null && left.has(path))
      // Where it is written at this moment, it stays until its unit takes it away.
      await registry.write([{ area: 'traffic', path, value: null, lease: null }], (_, one) =>
        before.traffic.get(one),
      );

  let revision = before.revision;
  const over = AbortSignal.any([AbortSignal.timeout(TAKEN_MS), ...(signal ? [signal] : [])]);
  if (left.size === 0) return revision;
  for await (const news of registry.watch('traffic', before.revision, over)) {
    if ('objects' in news) {
      for (const path of left) if (!news.objects.has(path)) left.delete(path);
      revision = Math.max(revision, news.revision);
    } else
      for (const { path, stored, revision: at } of news)
        if (stored === null && left.delete(path)) revision = Math.max(revision, at);
    if (left.size === 0) return revision;
  }
  if (signal?.aborted !== true) {
    const which = [...left].map((path) => path.split('/').at(-1)).join(', ');
    const message = `nobody has taken ${which} out of the gateways within ${TAKEN_MS / 1000} s: requests may fail`;
    session.emit({ kind: 'warning', message });
  }
  return revision;
}

/** Milliseconds between two looks at the requests that gateways have under way. */
const LOOK = { first: 50, last: 500, growth: 1.5 };

async function requestsEnd(
  session: Session,
  leaving: readonly UnitServer[],
  drainMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const mine = new Set(leaving.map(({ backend, id }) => `${backend}/${id}`));
  const until = performance.now() + drainMs;
  for (let pause = LOOK.first; signal?.aborted !== true; pause = Math.min(pause * LOOK.growth, LOOK.last)) {
    const under = await requestsTo(session, mine);
    const left = until - performance.now();
    if (under === 0) return;
    if (left <= 0) {
      const which = leaving.map(({ id }) => id).join(', ');
      const after = `${which} after ${drainMs / 1000} s`;
      const message =
        under === null
          ? `not all gateways say whether requests are under way to ${after}`
          : `${under} ${under === 1 ? 'request is' : 'requests are'} still under way to ${after}`;
      session.emit({ kind: 'warning', message });
      return;
    }
    await sleep(Math.min(pause, left), undefined, signal === undefined ? {} : { signal }).catch(
      () => undefined,
    );
  }
}

/** How many requests to these servers the gateways have under way; null = not all gateways say. */
async function requestsTo(session: Session, servers: ReadonlySet<string>): Promise<number | null> {
  const { top, errors } = await gatewayTop(session).catch((error: unknown) => {
    if (!(error instanceof ClusterError)) throw error;
    return { top: { servers: [] }, errors: [error] };
  });
  if (errors.length > 0) return null;
  return top.servers
    .filter(({ backend, id }) => servers.has(`${backend}/${id}`))
    .reduce((sum, { sessions }) => sum + sessions, 0);
}

/**
 * Whether the servers of a unit are where they should be: each with a good check, and in every gateway's pool.
 * @param announcedBefore the unit announced itself before, so that it has to again.
 */
export function returned(
  { gateways }: Servers,
  servers: readonly UnitServer[],
  announcedBefore: boolean,
): { readonly ok: boolean; readonly text: string }[] {
  if (servers.length === 0)
    return announcedBefore ? [{ ok: false, text: 'does not announce itself, as it did before' }] : [];
  return servers.map(({ id, backend, stored }) => {
    if (stored === null)
      return { ok: false, text: `server ${id} of backend ${backend} is not well by its check` };
    const behind = gateways.filter(({ revision }) => revision < stored.revision);
    if (behind.length === 0) return { ok: true, text: `server ${id} of backend ${backend} is served` };
    const names = behind.map(({ hostname }) => hostname).sort();
    return { ok: false, text: `server ${id} is not served yet by the gateways on ${names.join(', ')}` };
  });
}
