import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import { isLive, isOver } from '../../rollout/index.ts';
import type { Session } from '../session.ts';

/**
 * Gives back the slots of machines that came back after their rollout had halted or ended, and of those that are
 * removed. Slots of a rollout that goes on are its own.
 * @param bootOf the boot id of a machine that answers and where this is well; null otherwise.
 */
export async function freeReturned(
  session: Session,
  state: RegistryState,
  bootOf: (machine: MachineRecord, expected: readonly string[]) => Promise<string | null>,
): Promise<void> {
  const registry = await session.locks();
  const { locks } = await registry.load();
  const rollouts = await session.rollouts();
  const tried = new Set<string>();
  for (const { lock } of locks.values())
    for (const [id, holder] of Object.entries(lock.holders)) {
      if (tried.has(id)) continue;
      tried.add(id);
      const rollout = (await rollouts.get(holder.rollout))?.rollout;
      if (rollout !== undefined && isLive(rollout)) continue;
      const record = state.machines.get(id);
      const expected = rollout?.items.find(({ machine }) => machine === id)?.well ?? [];
      const boot = record === undefined ? null : await bootOf(record, expected);
      const isBack = boot !== null && isOver(holder, { boot, isWell: true });
      if (record === undefined || isBack) await registry.release(new Set([id]));
    }
}
