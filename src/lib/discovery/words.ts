import type { JsonObject } from '../traffic/index.ts';
import { parsePath } from '../traffic/index.ts';
import type { Edit } from './offers/edits.ts';

/** What an edit means to a person who reads the journal; null for what is not worth a line. */
export function told({ area, path, value }: Edit, before: JsonObject | null): string | null {
  const object = area === 'traffic' ? parsePath(path) : null;
  if (object?.kind === 'server') {
    const where = object.parent === object.id ? '' : ` in backend ${object.parent}`;
    if (value === null) return `Took out ${object.id} (${before?.URL})${where}`;
    return before?.URL === value.URL ? null : `Announced ${object.id} (${value.URL})${where}`;
  }
  if (object?.kind !== 'frontend') return null;
  if (value === null) return `Removed frontend ${object.id}`;
  return before?.Route === value.Route ? null : `Frontend ${object.id} serves ${value.Route}`;
}
