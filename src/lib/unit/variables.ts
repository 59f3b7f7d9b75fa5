import { ClusterError } from '../error.ts';
import { effectiveValues, type UnitFile } from './file.ts';
import { nearest } from './nearest.ts';
import { splitQuoted } from './quoting.ts';

/** The sections in which systemd reads `Environment=`. */
const SECTIONS = ['Service', 'Socket', 'Mount', 'Swap'];

/** What the literal `Environment=` lines of a unit set, specifiers not yet expanded; a later assignment wins. */
export function literalEnvironment(file: UnitFile): Map<string, string> {
  const found = new Map<string, string>();
  for (const section of SECTIONS) {
    for (const value of effectiveValues(file, section, 'Environment')) {
      for (const word of splitQuoted(value)) {
        const at = word.indexOf('=');
        if (at > 0) found.set(word.slice(0, at), word.slice(at + 1));
      }
    }
  }
  return found;
}

/**
 * Replaces `${VAR}` and `$VAR`; `$$` is one dollar. Throws `unknown-variable` for one that `lookup` answers null for,
 * `bad-variable` for a `${` that is no variable.
 */
export function expandVariables(
  text: string,
  lookup: (name: string) => string | null,
  known: () => Iterable<string>,
  place: { readonly unit: string; readonly file?: string; readonly line: number },
): string {
  if (!text.includes('$')) return text;
  return text.replace(
    /\$(?:\$|\{([^}]*)(\}?)|([A-Za-z_]\w*))/g,
    (all, braced?: string, close?: string, bare?: string) => {
      if (all === '$$') return '$';
      if (braced !== undefined && (close === '' || !/^[A-Za-z_]\w*$/.test(braced))) {
        throw new ClusterError('bad-variable', `${JSON.stringify(all)} in ${place.unit} is not a variable`, {
          ...place,
          hint: 'write $NAME with the name in braces, or $$ for a dollar sign',
        });
      }
      const name = braced ?? bare ?? '';
      const value = lookup(name);
      if (value !== null) return value;
      const near = nearest(name, known());
      throw new ClusterError('unknown-variable', `nothing in ${place.unit} sets the variable ${name}`, {
        ...place,
        hint:
          near === null
            ? `add Environment=${name}=... to its [Service] section; EnvironmentFile= is read only on the machine`
            : `did you mean ${near}?`,
      });
    },
  );
}
