import { ClusterError, ClusterErrors, EXIT } from '../../error.ts';
import { localMachineId } from '../../keep/index.ts';
import { readBootId, whyReboot } from '../../machine/index.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import {
  batches,
  groupOf,
  outsideWindows,
  parseWindow,
  type Rollout,
  type RolloutItem,
  type Window,
} from '../../rollout/index.ts';
import { nearest } from '../../unit/index.ts';
import { findMachine } from '../find-machine.ts';
import { requireMachines, type Session } from '../session.ts';
import { askAll } from '../units/ask.ts';
import { type BeginOptions, begin, type Draft } from './begin.ts';
import { type DriveOptions, drive } from './drive.ts';
import { MachineLooker, PRESENT } from './look-machines.ts';
import { Memory } from './memory.ts';
import { reportState, requireGoodEnd } from './report.ts';
import { type Roles, readRoles } from './roles.ts';
import { requireSlots } from './slots.ts';

/** What is to be done with machines. */
export interface MachinesWish {
  readonly kind: 'reboot' | 'update';
  /** As they were typed; none = all. */
  readonly machines: readonly string[];
  /** Key of the metadata by whose values machines are changed, one group after another. */
  readonly group: string | undefined;
  /** Only reboots: leave out machines that need none. */
  readonly ifNeeded: boolean;
  /** Only updates. */
  readonly rebootIfNeeded: boolean;
  readonly windows: readonly Window[];
}

/** The windows that a person typed. @throws `bad-window`. */
export function windowsOf(texts: readonly string[] | undefined, zone: string | undefined): Window[] {
  const usual = zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (texts ?? []).map((text) => parseWindow(text, usual));
}

interface MachinesDraft extends Draft {
  /** By position in the items: why it stands where it does. */
  readonly why: readonly string[];
  /** Machines that are left out, and why. */
  readonly notes: readonly string[];
}

/** Begins a rolling reboot or update and drives it to its end. @throws what its end means, see `requireGoodEnd`. */
export async function rollMachines(
  session: Session,
  wish: MachinesWish,
  options: BeginOptions & DriveOptions,
): Promise<void> {
  const draft = async (): Promise<Draft | null> => {
    const state = await (await session.registry()).load();
    const made = await draftOfMachines(session, state, wish);
    if (made.items.length > 0) {
      if (!options.waitForOthers) await requireSlots(session, state, made.items, options.budget);
      return made;
    }
    for (const message of made.notes) session.emit({ kind: 'warning', message });
    return null;
  };
  const entry = await begin(session, draft, options);
  if (entry === null) return;
  reportState(session, entry.rollout, 0);
  requireGoodEnd(await drive(session, entry.rollout.id, options), 'forward');
}

/** The batches of what `rollMachines` would do, and why in this order. */
export interface MachinesPlan {
  readonly kind: Rollout['kind'];
  readonly batches: readonly (readonly PlannedMachine[])[];
  readonly notes: readonly string[];
}

export interface PlannedMachine {
  readonly machine: string;
  readonly address: string;
  readonly group: string;
  readonly why: string;
}

export async function planMachines(
  session: Session,
  wish: MachinesWish,
  options: BeginOptions,
): Promise<MachinesPlan> {
  const state = await session.state();
  const { items, more, notes, why } = await draftOfMachines(session, state, wish);
  const rollout = rolloutOf(wish, options, items, more);
  const looks = await new MachineLooker(session).look(state, rollout);
  const seen = new Memory().observation(rollout, looks, { busy: new Map(), ended: new Map() }, 0);
  const { locks, ...free } = seen;
  const planned = batches(rollout, free).map((batch) =>
    batch.map((at): PlannedMachine => {
      const { machine, group } = items[at]!;
      const { address } = state.machines.get(machine ?? '')!.target;
      return { machine: machine ?? '', address, group: groupOf({ ...(group && { group }) }), why: why[at]! };
    }),
  );
  const left = items.length - planned.flat().length;
  const held = [...(locks ?? [])].flatMap(([name, lock]) =>
    Object.entries(lock.holders).map(
      ([id, { rollout: of }]) => `machine ${id.slice(0, 8)} holds a slot of lock ${name} for rollout ${of}`,
    ),
  );
  const shut = outsideWindows(rollout, Date.now());
  return {
    kind: wish.kind,
    batches: planned,
    notes: [
      ...notes,
      ...(left > 0 ? [`${left} would not be begun, since the cluster could not do without them`] : []),
      ...held,
      ...(shut === null ? [] : [`nothing would be begun now: ${shut.why}`]),
    ],
  };
}

function rolloutOf(
  { kind }: MachinesWish,
  { budget, who }: BeginOptions,
  items: readonly RolloutItem[],
  more: Draft['more'],
): Rollout {
  const fixed = {
    v: 1,
    id: '',
    state: 'running',
    back: false,
    batch: 0,
    canaryPassed: false,
    began: '',
  } as const;
  return { ...fixed, kind, budget, who, items, ...more };
}

/**
 * The machines in the order in which they are changed: group by group, first those without which the cluster does
 * best, last the one that this command runs on.
 * @throws for machines that do not answer, and for those that the cluster cannot do without; nothing is changed then.
 */
async function draftOfMachines(
  session: Session,
  state: RegistryState,
  wish: MachinesWish,
): Promise<MachinesDraft> {
  requireMachines(state);
  const all = [...state.machines.values()];
  const named = new Set(wish.machines.length > 0 ? wish.machines.map((one) => findMachine(state, one)) : all);
  const { group } = wish;
  if (group !== undefined) requireGroup(all, [...named], group);

  const reasons = await askNeeded(session, [...named], wish);
  const roles = await readRoles(session, state);
  const here = await localMachineId();
  const notes = [...named]
    .filter(({ id }) => !reasons.has(id))
    .map(({ id, target }) => `${id.slice(0, 8)}.../${target.address} needs no reboot`);
  const rows = [...named]
    .filter(({ id }) => reasons.has(id))
    .map((record) => ({
      record,
      group: group === undefined ? undefined : `${group}=${record.metadata[group] ?? ''}`,
      has: hasWhat(roles, record.id),
      isHere: record.id === here,
    }));
  for (const { record } of rows) requireSpare(roles, record);
  const rank = ({ group: one = '' }: { group: string | undefined }): string =>
    (one.endsWith('=') ? '~' : '') + one;
  rows.sort(
    (a, b) =>
      rank(a).localeCompare(rank(b)) ||
      Number(a.isHere) - Number(b.isHere) ||
      a.has.length - b.has.length ||
      (a.record.id < b.record.id ? -1 : 1),
  );
  const why = rows.map(({ record, has, isHere }) =>
    [
      ...(isHere ? ['this command runs here: cluster rollout resume goes on after it'] : []),
      ...has,
      ...(reasons.get(record.id) ?? []),
    ].join('; '),
  );
  const items = rows.map(
    (row): RolloutItem => ({
      unit: '',
      machine: row.record.id,
      from: PRESENT,
      to: PRESENT,
      state: 'waiting',
      ...(row.group !== undefined && { group: row.group }),
    }),
  );
  const more = {
    ...(wish.windows.length > 0 && { windows: wish.windows }),
    ...(wish.rebootIfNeeded && { rebootIfNeeded: true as const }),
  };
  return { kind: wish.kind, items, files: new Map(), more, why, notes };
}

function hasWhat({ etcd, gateway }: Roles, id: string): string[] {
  return [...(gateway?.on.has(id) ? ['gateway'] : []), ...(etcd?.on.has(id) ? ['etcd member'] : [])];
}

/** Of each machine that is to be changed, why it needs a reboot. @throws for those that do not answer. */
async function askNeeded(
  session: Session,
  machines: readonly MachineRecord[],
  { kind, ifNeeded }: MachinesWish,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const asks = kind === 'reboot' && ifNeeded;
  const answers = await askAll(session, machines, async (machine) => {
    await readBootId(machine);
    return asks ? await whyReboot(machine) : [];
  });
  const errors = answers.flatMap((answer) => ('error' in answer ? [answer.error] : []));
  if (errors.length > 0)
    throw new ClusterErrors(
      errors.map(
        ({ code, message, exit, place }) =>
          new ClusterError(code, `${message}; nothing was changed`, {
            ...place,
            exit,
            hint: 'name the machines that answer, or take it out with cluster machine rm',
          }),
      ),
    );
  return new Map(
    answers.flatMap((answer) =>
      'error' in answer || (asks && answer.value.length === 0)
        ? []
        : [[answer.machine.id, answer.value] as const],
    ),
  );
}

/** @throws `unknown-group` when no machine that is concerned has metadata of this key. */
function requireGroup(all: readonly MachineRecord[], named: readonly MachineRecord[], key: string): void {
  if (named.some(({ metadata }) => metadata[key] !== undefined)) return;
  const keys = [...new Set(all.flatMap(({ metadata }) => Object.keys(metadata)))].sort();
  const close = nearest(key, keys);
  throw new ClusterError(
    'unknown-group',
    `none of these machines has metadata ${JSON.stringify(key)}; nothing was changed`,
    {
      hint:
        close !== null && close !== key
          ? `did you mean ${close}?`
          : keys.length === 0
            ? `cluster machine set-metadata MACHINE ${key}=VALUE`
            : `there are ${keys.join(', ')}`,
      exit: EXIT.usage,
    },
  );
}

/** @throws `etcd-quorum`, `last-gateway`: however long one waited, this machine could not go. */
function requireSpare({ etcd, gateway }: Roles, { id, target: { address } }: MachineRecord): void {
  if (etcd?.on.has(id) && etcd.all <= etcd.least)
    throw new ClusterError(
      'etcd-quorum',
      `etcd runs on ${address}, and has ${etcd.all} ${etcd.all === 1 ? 'member' : 'members'}, of which ${etcd.least} are needed; nothing was changed`,
      {
        machine: address,
        hint: 'with three members one at a time can be away; or reboot it by hand: cluster ssh MACHINE reboot',
      },
    );
  if (gateway?.on.has(id) && gateway.all <= gateway.least)
    throw new ClusterError('last-gateway', `the only gateway runs on ${address}; nothing was changed`, {
      machine: address,
      hint: 'start one on another machine first',
    });
}
