import { parseUnitName, type Requirements, validateUnit } from '../unit/index.ts';

/** What the plan needs to know of one unit file under one name. */
export interface Facts {
  readonly requirements: Requirements;
  readonly hash: string;
  readonly warnings: readonly string[];
}

type NameParts = 'none' | 'prefix' | 'instance' | 'name';

/**
 * Reads unit files, each distinct one once: the instances of a template share a text, and their requirements differ
 * only by the specifiers used in [X-Fleet].
 */
export class UnitFacts {
  readonly #parts = new Map<string, NameParts>();
  readonly #facts = new Map<string, Map<string, Facts>>();

  /** Facts of a unit; throws the ClusterError of `validateUnit` for a broken one. */
  of(name: string, text: string, file?: string): Facts {
    let byKey = this.#facts.get(text);
    if (byKey === undefined) {
      byKey = new Map();
      this.#facts.set(text, byKey);
      this.#parts.set(text, partsUsed(text));
    }
    const parts = this.#parts.get(text) ?? 'name';
    const known = byKey.get(keyOf(name, parts));
    if (known !== undefined) {
      parseUnitName(name);
      return known;
    }
    const { requirements, hash, warnings } = validateUnit(name, text, file === undefined ? {} : { file });
    const facts: Facts = { requirements, hash, warnings };
    // Warnings name the unit, so a text that gives any is read again for each name.
    if (warnings.length > 0) this.#parts.set(text, 'name');
    byKey.set(keyOf(name, warnings.length > 0 ? 'name' : parts), facts);
    return facts;
  }
}

/** True for `demo@.service`: it can be known, but never placed. */
export const isTemplateName = (name: string): boolean => {
  const at = name.indexOf('@');
  return at >= 0 && name.lastIndexOf('.') === at + 1;
};

function keyOf(name: string, parts: NameParts): string {
  if (parts === 'none') return '';
  if (parts === 'name') return name;
  const at = name.indexOf('@');
  const dot = name.lastIndexOf('.');
  if (parts === 'prefix') return name.slice(0, at < 0 ? dot : at);
  return at < 0 ? '' : name.slice(at + 1, dot);
}

/** Which parts of the name can change the requirements. Environment= counts, because [X-Fleet] may use its variables. */
function partsUsed(text: string): NameParts {
  if (!text.includes('%')) return 'none';
  const used = new Set<string>();
  let fleet = false;
  let continued = false;
  for (const line of text.split('\n')) {
    const trimmed = line.trim();
    if (!continued && trimmed.startsWith('[')) fleet = trimmed === '[X-Fleet]';
    if (fleet || trimmed.startsWith('Environment') || continued) {
      for (const match of trimmed.matchAll(/%(.)/g)) used.add(match[1] ?? '');
    }
    continued = trimmed.endsWith('\\');
  }
  used.delete('%');
  if (used.size === 0) return 'none';
  if (used.size > 1) return 'name';
  if (used.has('p')) return 'prefix';
  return used.has('i') ? 'instance' : 'name';
}
