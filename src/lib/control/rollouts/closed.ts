import { decide } from '../../plan/index.ts';
import type { DriverHold, MachineRecord, RolloutEntry, RolloutRegistry } from '../../registry/index.ts';
import { isLive, type Rollout, type RolloutItem } from '../../rollout/index.ts';
import { ownerOf, withCordon } from '../cordons.ts';
import type { Session } from '../session.ts';
import { write } from '../units/write.ts';

/**
 * A drain with its machines cordoned by it, and with the units that came there since it was planned. Other rollouts are
 * returned as they are. Done whenever a driver begins: one that died may not have come so far.
 */
export async function closed(
  session: Session,
  registry: RolloutRegistry,
  entry: RolloutEntry,
  driver: DriverHold,
): Promise<RolloutEntry> {
  const { rollout } = entry;
  if (rollout.kind !== 'drain' || !isLive(rollout)) return entry;
  const machines = new Set(rollout.items.flatMap(({ machine }) => machine ?? []));
  const { decision } = await write(session, (state) => {
    const { assignments, globals } = decide(state);
    const records = [...machines].flatMap((id): MachineRecord[] => {
      const record = state.machines.get(id);
      const owner = ownerOf(rollout);
      if (record === undefined || record.cordons?.[owner] !== undefined) return [];
      const here = assignments.filter(({ unit, machine }) => machine === id && globals.has(unit));
      const stay = here.map(({ unit }) => unit).sort();
      const since = new Date().toISOString();
      return [withCordon(record, owner, { who: rollout.who, since, reason: 'drain', globals: stay })];
    });
    return { intent: { machines: new Map(records.map((one) => [one.id, one])) }, value: null };
  });
  const known = new Set(rollout.items.map(({ unit }) => unit));
  const came = [...decision.units.values()].filter(
    ({ name, machine, desired }) =>
      machine !== null && machines.has(machine) && desired !== 'inactive' && !known.has(name),
  );
  if (came.length === 0) return entry;
  const mayStop = rollout.items.some((item) => item.mayStop === true);
  const more = came.map(({ name, machine, hash, desired }): RolloutItem => {
    const version = { hash, desired };
    return { unit: name, machine, from: version, to: version, state: 'waiting', ...(mayStop && { mayStop }) };
  });
  const next: Rollout = { ...rollout, items: [...rollout.items, ...more] };
  const written = await registry.change(entry, next, { driver });
  if (written !== null) return written;
  // Somebody paused or ended it at this moment.
  const current = await registry.get(rollout.id);
  return current === null ? entry : await closed(session, registry, current, driver);
}
