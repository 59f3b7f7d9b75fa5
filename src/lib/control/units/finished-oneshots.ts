import type { Assignment, Observation } from '../../plan/model.ts';
import { effectiveValues, readUnitFile } from '../../unit/index.ts';

/**
 * What was observed, with every oneshot that has done its work taken for active: only a person starts it again, not
 * every reconcile.
 */
export function withFinished(
  observations: readonly Observation[],
  assigned: readonly Assignment[],
  files: ReadonlyMap<string, string>,
): Observation[] {
  const wanted = new Map(assigned.map((item) => [`${item.machine} ${item.unit}`, item]));
  return observations.map((now) => {
    const want = wanted.get(`${now.machine} ${now.unit}`);
    const idle = now.active === 'inactive' && now.hash === want?.hash && want?.desired === 'launched';
    return idle && endsByItself(files.get(now.hash ?? '') ?? '') ? { ...now, active: 'active' } : now;
  });
}

function endsByItself(text: string): boolean {
  if (!/oneshot/.test(text)) return false;
  const file = readUnitFile(text);
  const last = (key: string): string => effectiveValues(file, 'Service', key).at(-1) ?? '';
  return last('Type') === 'oneshot' && !/^(1|yes|y|true|t|on)$/i.test(last('RemainAfterExit'));
}
