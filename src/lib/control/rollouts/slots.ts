import { ClusterError, EXIT } from '../../error.ts';
import type { LockEdit, RegistryState } from '../../registry/index.ts';
import {
  allowed,
  type Budget,
  groupOf,
  isLive,
  isOfMachines,
  type Lock,
  type Rollout,
  type RolloutItem,
  released,
  slotHolders,
  taken,
} from '../../rollout/index.ts';
import type { Session } from '../session.ts';
import type { Looks } from './look.ts';
import { MachineLooker } from './look-machines.ts';

/** Slots of locks that are taken and given back by what changed between two states of a rollout. */
export function slotEdits(before: Rollout, after: Rollout, looks: Looks): LockEdit[] {
  if (!isOfMachines(after.kind)) return [];
  const now = new Map<string, Lock>();
  const lockOf = (name: string): Lock | undefined => now.get(name) ?? looks.locks?.get(name)?.lock;
  for (const [at, item] of after.items.entries()) {
    const machine = item.machine ?? '';
    if (item.state === before.items[at]!.state) continue;
    if (item.state === 'acting') {
      const since = new Date().toISOString();
      const holder = { rollout: after.id, since, bootId: item.run ?? '' };
      for (const need of looks.items[at]?.locks ?? [])
        now.set(need.name, taken(lockOf(need.name), need, machine, holder));
    }
    if (item.state === 'healthy' || item.state === 'skipped')
      for (const name of looks.locks?.keys() ?? []) {
        const lock = lockOf(name);
        if (lock?.holders[machine]?.rollout === after.id) now.set(name, released(lock, machine));
      }
  }
  return [...now].map(([name, lock]) => ({ name, lock, revision: looks.locks?.get(name)?.revision ?? 0 }));
}

/**
 * @throws `lock-held` (exit 6) when machines that did not come back leave no slot for the first of these; those that did
 * give theirs back before.
 */
export async function requireSlots(
  session: Session,
  state: RegistryState,
  items: readonly RolloutItem[],
  budget: Budget,
): Promise<void> {
  await new MachineLooker(session).freeSlots(state);
  const { locks } = await (await session.locks()).load();
  const own = new Set(items.map(({ machine }) => machine));
  const { rollouts } = await (await session.rollouts()).load();
  // Rollouts that go on are told from these by `begin`, which knows whose they are.
  const going = new Set(rollouts.filter(({ rollout }) => isLive(rollout)).map(({ rollout }) => rollout.id));
  for (const name of new Set(items.map(groupOf))) {
    const need = { name, max: allowed(budget.maxUnavailable, items.length) };
    const holders = slotHolders(locks.get(name)?.lock, need).filter(
      ([id, { rollout }]) => !own.has(id) && !going.has(rollout),
    );
    const [first] = holders;
    if (first === undefined) continue;
    const [id, { rollout, since }] = first;
    const short = id.slice(0, 8);
    throw new ClusterError(
      'lock-held',
      `lock ${name} has no free slot: machine ${short} holds one for rollout ${rollout} since ${since}; nothing was changed`,
      {
        hint: `--wait-for-others waits until it is back and well; cluster lock rm ${name} ${short} frees it`,
        exit: EXIT.conflict,
      },
    );
  }
}
