import type { RolloutItem } from './model.ts';

const SHORT_ID = 8;
const SPELLED = 3;

/** `web@1.service`, `gateway.service on 4f1c2d3e` for a unit on one machine, or `machine 4f1c2d3e`. */
export function nameItem({ unit, machine }: Pick<RolloutItem, 'unit' | 'machine'>): string {
  if (unit === '') return `machine ${machine?.slice(0, SHORT_ID) ?? '-'}`;
  return machine === null ? unit : `${unit} on ${machine.slice(0, SHORT_ID)}`;
}

/** The first few names and how many more there are. */
export function nameSome(names: readonly string[]): string {
  const more = names.length - SPELLED;
  return more > 0 ? `${names.slice(0, SPELLED).join(', ')} and ${more} more` : names.join(', ');
}
