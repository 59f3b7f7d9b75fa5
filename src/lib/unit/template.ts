import { mangle, splitUnitName } from './name.ts';

/** One place to look for the unit file that an argument names. */
export type Candidate =
  | { readonly kind: 'registry-unit' | 'registry-template'; readonly name: string }
  | { readonly kind: 'file' | 'file-template'; readonly path: string };

/**
 * The places to look for an argument's unit file, in fleet's order. Unlike in fleet, `foo` also finds the file
 * `foo.service`.
 */
export function candidates(argument: string): Candidate[] {
  const name = mangle(argument);
  const slash = argument.lastIndexOf('/');
  const folder = argument.slice(0, slash + 1);
  const found: Candidate[] = [
    { kind: 'registry-unit', name },
    { kind: 'file', path: argument },
  ];
  if (argument.slice(slash + 1) !== name) found.push({ kind: 'file', path: folder + name });
  const parts = splitUnitName(name);
  if (parts?.isInstance && parts.template !== null) {
    found.push({ kind: 'registry-template', name: parts.template });
    found.push({ kind: 'file-template', path: folder + parts.template });
  }
  return found;
}

/** The instances of a template whose stored text differs from the template's, sorted by name. */
export function outdatedInstances(
  templateName: string,
  templateHash: string,
  units: Iterable<{ readonly name: string; readonly hash: string }>,
): string[] {
  const outdated: string[] = [];
  for (const { name, hash } of units) {
    const parts = splitUnitName(name);
    if (parts?.isInstance && parts.template === templateName && hash !== templateHash) outdated.push(name);
  }
  return outdated.sort();
}
