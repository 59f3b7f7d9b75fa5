import { effectiveValues, type UnitFile } from './file.ts';
import { splitUnitName, type UnitName } from './name.ts';
import { splitQuoted } from './quoting.ts';

/** A name that a unit's [Install] section takes (Alias=) or enables (Also=) besides the unit's own. */
export interface InstallClaim {
  readonly key: 'Alias' | 'Also';
  readonly name: string;
}

/**
 * What enabling this unit would claim, from a file whose specifiers are replaced. A template as alias of an instance
 * stands for the instance of that template too, as systemd reads it.
 */
export function installClaims(file: UnitFile, unit: UnitName): InstallClaim[] {
  const claims = (['Alias', 'Also'] as const).flatMap((key) =>
    effectiveValues(file, 'Install', key)
      .flatMap(words)
      .map((name) => ({ key, name })),
  );
  const instances = claims.flatMap(({ key, name }) => {
    if (unit.instance === null || splitUnitName(name)?.isTemplate !== true) return [];
    return [{ key, name: name.replace('@.', `@${unit.instance}.`) }];
  });
  return [...claims, ...instances].filter(({ name }) => name !== unit.full);
}

/** systemd ignores a line that it cannot split. */
function words(value: string): string[] {
  try {
    return splitQuoted(value).filter((word) => /^[^\s/]+$/.test(word));
  } catch {
    return [];
  }
}
