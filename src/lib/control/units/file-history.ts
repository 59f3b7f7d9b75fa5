import { ClusterError } from '../../error.ts';
import type { Intent } from '../../plan/model.ts';
import { type FileVersion, fileOf, type RegistryState } from '../../registry/index.ts';
import { mangle, nearest, parseUnitName } from '../../unit/index.ts';
import { throwFailures } from '../report.ts';
import type { Session } from '../session.ts';
import { converge, reportRefusals } from './converge.ts';
import { scopeOfUnits } from './scope.ts';
import { reportTriggered, type VerbOptions, waiting } from './verb.ts';
import { write } from './write.ts';

/** A version of a unit file, and the units that have it now. */
export interface KnownVersion extends FileVersion {
  readonly current: readonly string[];
}

/** Texts that the file of this unit had, or that all files had, newest first. @throws `no-history`. */
export async function fileHistory(session: Session, unit: string | undefined): Promise<KnownVersion[]> {
  const state = await session.state();
  const registry = await session.history();
  const file = unit === undefined ? undefined : fileOf(mangle(unit));
  const versions = await registry.load(file);
  if (file !== undefined && versions.length === 0) throw await noHistory(session, state, file);
  return versions.map((version) => ({ ...version, current: unitsWith(state, version) }));
}

export interface FileDiff {
  readonly from: KnownVersion;
  readonly to: KnownVersion;
}

/**
 * Two versions of a file: those named by the beginnings of their hashes, else the last one before the current one, and
 * the current one.
 */
export async function fileDiff(
  session: Session,
  unit: string,
  from: string | undefined,
  to: string | undefined,
): Promise<FileDiff> {
  const versions = await fileHistory(session, unit);
  const current = versions.find((version) => isCurrent(version, unit)) ?? versions[0]!;
  const newer = to === undefined ? current : findVersion(versions, to);
  if (from !== undefined) return { from: findVersion(versions, from), to: newer };
  return { from: before(versions, newer), to: newer };
}

/** What giving units a former text means. */
export interface Rollback {
  readonly names: readonly string[];
  readonly version: FileVersion;
  readonly intent: Intent;
}

/**
 * Gives a unit, or all instances of a template, the text that their file had before, or the named one; each stays in the
 * state that it is in. A destroyed unit comes back as it was last, known and not running.
 * @throws `no-history`, `no-such-version`, `ambiguous-version`.
 */
export function intendRollback(
  state: RegistryState,
  versions: readonly KnownVersion[],
  unit: string,
  to: string | undefined,
): Rollback {
  const known = unitsOf(state, unit);
  const names = known.length > 0 ? known : [mangle(unit)];
  const now = versions.find(({ hash }) => known.some((name) => state.units.get(name)?.hash === hash));
  const former = (): KnownVersion => (now === undefined ? versions[0]! : before(versions, now));
  const version = to === undefined ? former() : findVersion(versions, to);
  return { names, version, intent: intentOf(state, names, version) };
}

/** Does so with all of them at the same time. */
export async function rollbackAtOnce(
  session: Session,
  unit: string,
  to: string | undefined,
  options: VerbOptions,
): Promise<void> {
  const versions = await fileHistory(session, unit);
  const decided = await write(session, (state) => {
    const { intent, ...value } = intendRollback(state, versions, unit, to);
    return { intent, value };
  });

  const { before: state, decision } = decided;
  const { names, version } = decided.value;
  for (const name of names) if (!state.units.has(name)) session.emit({ kind: 'created', unit: name });
  const changed = names.filter((name) => {
    const known = state.units.get(name);
    return known?.hash !== version.hash || known.hashes !== undefined;
  });
  if (changed.length === 0) {
    for (const name of names) session.emit({ kind: 'same', unit: name });
    return;
  }
  const active = changed.filter((name) => (state.units.get(name)?.desired ?? 'inactive') !== 'inactive');
  reportTriggered(session, active, decision.globals, 'start', options.block);
  const concerned = new Set([...changed, ...decision.changed]);
  const refused = reportRefusals(session, decided, (name) => concerned.has(name));
  const scope = scopeOfUnits(state, decision, concerned);
  const { failures } = await converge(session, decided, scope, waiting(options));
  throwFailures([...refused, ...failures]);
}

function intentOf(state: RegistryState, names: readonly string[], version: FileVersion): Intent {
  const units = names.map((name) => {
    const desired = state.units.get(name)?.desired ?? 'inactive';
    return [name, { hash: version.hash, desired, hashes: {} }] as const;
  });
  return { units: new Map(units), files: new Map([[version.hash, version.text]]) };
}

/** An instance stands for itself; a template for all its instances, and itself where it is known. */
function unitsOf(state: RegistryState, unit: string): string[] {
  const name = mangle(unit);
  if (!parseUnitName(name).isTemplate) return state.units.has(name) ? [name] : [];
  return [...state.units.keys()].filter((one) => fileOf(one) === name).sort();
}

function unitsWith(state: RegistryState, { file, hash }: FileVersion): string[] {
  return [...state.units.values()]
    .filter((unit) => unit.hash === hash && fileOf(unit.name) === file)
    .map(({ name }) => name)
    .sort();
}

function isCurrent({ current }: KnownVersion, unit: string): boolean {
  const name = mangle(unit);
  return parseUnitName(name).isTemplate ? current.length > 0 : current.includes(name);
}

/** The version that was there before this one, with another text. */
function before(versions: readonly KnownVersion[], now: FileVersion): KnownVersion {
  const at = versions.findIndex(({ hash, at: when }) => hash === now.hash && when === now.at);
  const older = versions.slice(at + 1).find(({ hash }) => hash !== now.hash);
  if (older !== undefined) return older;
  throw new ClusterError('no-history', `no text of ${now.file} before the current one is kept`, {
    unit: now.file,
    hint: `cluster history ${now.file}`,
  });
}

function findVersion(versions: readonly KnownVersion[], hash: string): KnownVersion {
  const found = versions.filter((version) => version.hash.startsWith(hash.toLowerCase()));
  const [first] = found;
  const file = versions[0]?.file ?? '';
  const hint = `cluster history ${file}`;
  if (first === undefined || hash === '')
    throw new ClusterError('no-such-version', `no text of ${file} has a hash that begins with "${hash}"`, {
      unit: file,
      hint,
    });
  if (found.some((version) => version.hash !== first.hash))
    throw new ClusterError(
      'ambiguous-version',
      `several texts of ${file} have a hash that begins with "${hash}"`,
      {
        unit: file,
        hint,
      },
    );
  return first;
}

async function noHistory(session: Session, state: RegistryState, file: string): Promise<ClusterError> {
  const files = new Set((await (await session.history()).load()).map((version) => version.file));
  const known = [...state.units.keys()].some((name) => fileOf(name) === file);
  const near = nearest(file, files);
  return new ClusterError('no-history', `no text of ${file} is kept`, {
    unit: file,
    hint: known
      ? 'it was written by an earlier release; cluster start --replace begins its history'
      : near === null
        ? 'cluster history names all files that have one'
        : `did you mean ${near}? (cluster history)`,
  });
}
