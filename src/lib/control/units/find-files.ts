import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ClusterError, ClusterErrors } from '../../error.ts';
import type { RegistryState } from '../../registry/index.ts';
import { validateUnit } from '../../unit/index.ts';
import { type Fits, type Named, nameEach } from './name-units.ts';

/** A unit file found for a name. */
export interface Found {
  readonly name: string;
  readonly hash: string;
  readonly text: string;
  readonly from: 'registry' | 'registry-template' | 'file' | 'file-template';
  /** Of a text that comes from a local file. */
  readonly path?: string;
  /** A local file whose content is not what the registry has. */
  readonly differs: {
    readonly path: string;
    readonly hash: string;
    readonly text: string;
    readonly template: boolean;
  } | null;
  /** What is allowed in a file that is new to the registry, but probably not meant. */
  readonly warnings: readonly string[];
}

/** A local file whose content is not what the registry has for these units. */
export interface ChangedFile {
  readonly path: string;
  readonly units: readonly string[];
  readonly stored: string;
  readonly local: string;
}

/** Where local files differ from stored ones; a file that several units share is named once. */
export function changedFiles(found: readonly Found[]): ChangedFile[] {
  const out = new Map<string, ChangedFile & { units: string[] }>();
  for (const { name, hash, text, differs } of found) {
    if (differs === null) continue;
    const key = `${differs.path} ${hash}`;
    const known = out.get(key) ?? { path: differs.path, units: [], stored: text, local: differs.text };
    known.units.push(name);
    out.set(key, known);
  }
  return [...out.values()];
}

/** Paths of local files by the hash of what may be written of them. */
export function sourcesOf(found: readonly Found[]): ReadonlyMap<string, string> {
  const all = found.flatMap(({ hash, path, differs }) => [
    ...(path === undefined ? [] : [[hash, path] as const]),
    ...(differs === null ? [] : [[differs.hash, differs.path] as const]),
  ]);
  return new Map(all);
}

/**
 * The file of each unit that the arguments name, in fleet's order: registry, the path itself, registry template,
 * template beside it.
 * @throws ClusterErrors with one error for each bad argument and each unit whose file is missing or broken.
 */
export async function findFiles(
  state: RegistryState,
  args: readonly string[],
  replace: boolean,
  fits?: Fits,
): Promise<Found[]> {
  const { named, errors } = nameEach(state, args, fits);
  const out: Found[] = [];
  const cache = new Map<string, Promise<string | null>>();
  const read = (path: string): Promise<string | null> => {
    const known = cache.get(path) ?? readLocal(path);
    cache.set(path, known);
    return known;
  };
  for (const item of named) {
    try {
      out.push(await findOne(state, item, read, replace));
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new ClusterErrors(errors);
  return out;
}

async function findOne(
  state: RegistryState,
  { name, argument }: Named,
  read: (path: string) => Promise<string | null>,
  replace: boolean,
): Promise<Found> {
  const path = argument.endsWith(name.full) ? argument : join(dirname(argument), name.full);
  const templatePath = name.template === null ? null : join(dirname(argument), name.template);
  const local =
    (await find(path, false, read)) ?? (templatePath === null ? null : await find(templatePath, true, read));
  const checked = (text: string, file: string) => {
    const { hash, warnings } = validateUnit(name.full, text, { file });
    return { hash, warnings };
  };
  const stored = state.units.get(name.full);
  if (stored !== undefined) {
    const text = state.files.get(stored.hash) ?? '';
    const found = local === null ? null : { ...local, ...checked(local.text, local.path) };
    const differs = found?.hash === stored.hash ? null : found;
    const warnings = replace ? (differs?.warnings ?? []) : [];
    return { name: name.full, hash: stored.hash, text, from: 'registry', differs, warnings };
  }
  if (local !== null && !local.template) {
    return {
      name: name.full,
      ...checked(local.text, path),
      text: local.text,
      path,
      from: 'file',
      differs: null,
    };
  }
  const template = name.template === null ? undefined : state.units.get(name.template);
  if (template !== undefined) {
    const text = state.files.get(template.hash) ?? '';
    const differs = local === null ? null : { ...local, ...checked(local.text, local.path) };
    const other = differs === null || differs.hash === template.hash ? null : differs;
    const { warnings } = checked(text, template.name);
    const both = { name: name.full, from: 'registry-template', differs: other, warnings } as const;
    if (!replace || other === null) return { ...both, hash: template.hash, text };
    const { hash, text: newer, path: source } = other;
    const { warnings: newWarnings } = other;
    return {
      ...both,
      from: 'file-template',
      hash,
      text: newer,
      path: source,
      differs: null,
      warnings: newWarnings,
    };
  }
  if (local !== null)
    return {
      name: name.full,
      ...checked(local.text, local.path),
      text: local.text,
      path: local.path,
      from: 'file-template',
      differs: null,
    };
  const what = name.template === null ? `Unit(${name.full})` : `template Unit(${name.template})`;
  throw new ClusterError('no-such-unit', `unable to find ${what} in Registry or on filesystem`, {
    unit: name.full,
    hint: `write ${templatePath ?? path}, or name its path`,
  });
}

async function find(
  path: string,
  template: boolean,
  read: (path: string) => Promise<string | null>,
): Promise<{ path: string; text: string; template: boolean } | null> {
  const text = await read(path);
  return text === null ? null : { path, text, template };
}

async function readLocal(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return null;
    throw new ClusterError('file-unreadable', `cannot read ${path}: ${code}`, {
      file: path,
      hint: 'check the path and its permissions',
    });
  }
}
