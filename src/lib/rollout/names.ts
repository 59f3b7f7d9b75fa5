import type { RolloutItem } from './model.ts';

const SHORT_ID = 8;
const SPELLED = 3;

/** `web@1.service`, or `gateway.service on 4f1c2d3e` for an item that is about one machine. */
export function nameItem({ unit, machine }: Pick<RolloutItem, 'unit' | 'machine'>): string {
  return machine === null ? unit : `${unit} on ${machine.slice(0, SHORT_ID)}`;
}

/** The first few names and how many more there are. */
export function nameSome(names: readonly string[]): string {
  const more = names.length - SPELLED;
  return more > 0 ? `${names.slice(0, SPELLED).join(', ')} and ${more} more` : names.join(', ');
}
