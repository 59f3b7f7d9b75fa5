/** Who has a slot of a lock. */
export interface LockHolder {
  /** Number of the rollout. */
  readonly rollout: string;
  /** ISO 8601, for people only. */
  readonly since: string;
  /** Of the boot that the slot was taken in. */
  readonly bootId: string;
}

/** So many machines at a time may be away. A slot never ends by time. */
export interface Lock {
  readonly v: 1;
  readonly max: number;
  /** By machine id. */
  readonly holders: Readonly<Record<string, LockHolder>>;
}

/** A slot of this lock is needed, which is to have this many. */
export interface LockNeed {
  readonly name: string;
  readonly max: number;
}

export type LocksSeen = ReadonlyMap<string, Lock>;

/** How many slots there are: where somebody else holds one, no more than they were content with. */
export function slotsOf(lock: Lock | undefined, { max }: LockNeed): number {
  return lock === undefined || Object.keys(lock.holders).length === 0 ? max : Math.min(max, lock.max);
}

/** The lock after a machine has taken a slot; one that it holds already stays one. */
export function taken(lock: Lock | undefined, need: LockNeed, machine: string, holder: LockHolder): Lock {
  return { v: 1, max: slotsOf(lock, need), holders: { ...lock?.holders, [machine]: holder } };
}

/** The lock without a machine's slot; the same object where it has none. */
export function released(lock: Lock, machine: string): Lock {
  if (lock.holders[machine] === undefined) return lock;
  const { [machine]: _gone, ...holders } = lock.holders;
  return { ...lock, holders };
}

/** Whether a slot is free by itself: the machine was booted since, and is well. */
export function isOver(
  { bootId }: LockHolder,
  { boot, isWell }: { readonly boot: string | undefined; readonly isWell: boolean },
): boolean {
  return isWell && boot !== undefined && boot !== bootId;
}

/** Who keeps a machine from a slot of a lock, in words; null = nobody does. */
export function holdsUp(
  lock: Lock | undefined,
  need: LockNeed,
  machine: string,
  takenNow: number,
): string | null {
  const holders = Object.entries(lock?.holders ?? {});
  if (lock?.holders[machine] !== undefined) return null;
  if (holders.length + takenNow < slotsOf(lock, need)) return null;
  const names = holders.map(([id, { rollout }]) => `${id.slice(0, 8)} (rollout ${rollout})`);
  return `lock ${need.name} has no free slot: ${slotsOf(lock, need)} in all${names.length === 0 ? '' : `, held by ${names.join(', ')}`}`;
}

/** Who holds the slots of a lock that has none left; nobody, where it has. */
export function slotHolders(
  lock: Lock | undefined,
  need: LockNeed,
): readonly (readonly [string, LockHolder])[] {
  const holders = Object.entries(lock?.holders ?? {});
  return holders.length < slotsOf(lock, need) ? [] : holders;
}
