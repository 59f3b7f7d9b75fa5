import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError } from '../../error.ts';
import {
  beginUpdate,
  type Machine,
  type Packages,
  readBootId,
  rebootFrom,
  UPDATE_UNIT,
  updateState,
  whyReboot,
} from '../../machine/index.ts';
import type { MachineRecord } from '../../registry/index.ts';
import type { PackageChange, Rollout, RolloutStep, StepResult } from '../../rollout/index.ts';
import type { Session } from '../session.ts';
import type { Ended } from './ended.ts';
import { leaveGateways } from './leave-gateways.ts';

/** How long to wait between two questions to a machine. */
const ASK_EVERY_MS = 1_000;
const JOURNAL_LINES = 10;
/** So many packages are kept with an item; of the rest only the number is. */
const MOST_PACKAGES = 500;

interface Work {
  readonly session: Session;
  readonly record: MachineRecord;
  readonly rollout: Rollout;
  readonly step: RolloutStep;
  /** By `performance.now()`. */
  readonly until: number;
  readonly timeoutMs: number;
}

/** Reboots or updates one machine. May be done again by another driver: what was done already is seen. */
export async function changeMachine(
  session: Session,
  record: MachineRecord,
  rollout: Rollout,
  step: RolloutStep,
  timeoutMs: number,
): Promise<Ended> {
  const until = performance.now() + timeoutMs;
  const work: Work = { session, record, rollout, step, until, timeoutMs };
  try {
    return step.action === 'reboot' ? await reboot(work) : await update(work);
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    return { ok: false, why: error.message, journal: [] };
  }
}

/** Ends when the machine answers from another boot than the one that the item began in. */
async function reboot(work: Work): Promise<Ended> {
  const { session, record, rollout, step, timeoutMs } = work;
  const began = rollout.items[step.item]?.run;
  const asked = await ask(work, readBootId);
  if (asked === null) return notBack(timeoutMs);
  if (began !== undefined && asked !== began) return { ok: true };
  const back = await leaveGateways(session, record);
  try {
    await rebootFrom(await session.machine(record), asked);
  } catch (error) {
    // The connection often goes before the answer comes.
    if (!(error instanceof ClusterError) || error.code !== 'machine-unreachable') throw error;
  }
  for (;;) {
    await sleep(ASK_EVERY_MS);
    const boot = await ask(work, readBootId, true);
    if (boot === null) return notBack(timeoutMs);
    if (boot !== asked) {
      await back();
      return { ok: true };
    }
    if (performance.now() > work.until)
      return { ok: false, why: `was told to reboot and has not within ${inSeconds(timeoutMs)}`, journal: [] };
  }
}

const notBack = (ms: number): Ended => ({
  ok: false,
  why: `did not come back within ${inSeconds(ms)}`,
  journal: [],
});

const inSeconds = (ms: number): string => (ms % 60_000 === 0 ? `${ms / 60_000} min` : `${ms / 1000} s`);

/** Runs the package manager in a unit of its own, which outlives this connection, and reboots where that was asked for. */
async function update(work: Work): Promise<Ended> {
  const { session, record, rollout, step } = work;
  const ticket = `${rollout.id}-${rollout.batch}`;
  for (let isBegun = false; !isBegun; ) {
    const answer = await ask(work, (machine) => beginUpdate(machine, ticket));
    if (answer === null) return notAnswering(work);
    isBegun = answer;
    if (!isBegun && performance.now() > work.until)
      return { ok: false, why: 'has another update under way', journal: [] };
    if (!isBegun) await sleep(ASK_EVERY_MS);
  }
  for (;;) {
    const state = await ask(work, (machine) => updateState(machine, ticket));
    if (state === null) return notAnswering(work);
    if (state.state === 'lost') return await failed(work, 'ended its update without a result', {});
    if (state.state === 'ended') {
      const result: StepResult = { packages: changes(state.before, state.after) };
      if (state.code !== 0)
        return await failed(work, `ended its update with exit status ${state.code}`, result);
      return await afterUpdate(work, result);
    }
    if (performance.now() > work.until)
      return await failed(
        work,
        `has not ended its update within ${inSeconds(work.timeoutMs)}; it goes on there`,
        {},
      );
    await sleep(ASK_EVERY_MS);
  }

  async function failed(_: Work, why: string, result: StepResult): Promise<Ended> {
    const machine = await session.machine(record);
    const lines = await machine
      .journal({ units: [UPDATE_UNIT], lines: JOURNAL_LINES })
      .catch(() => [] as { text: string }[]);
    return { ok: false, why, journal: lines.map(({ text }) => text), result };
  }

  async function afterUpdate(_: Work, result: StepResult): Promise<Ended> {
    const began = rollout.items[step.item]?.run;
    const boot = await ask(work, readBootId);
    if (boot === null) return { ...notAnswering(work), result };
    // A driver that died after the reboot left it to be found here.
    if (rollout.rebootIfNeeded && began !== undefined && boot !== began) return { ok: true, result };
    const reasons = await ask(work, whyReboot);
    if (reasons === null) return { ...notAnswering(work), result };
    if (reasons.length === 0) return { ok: true, result };
    if (!rollout.rebootIfNeeded) return { ok: true, result: { ...result, rebootNeeded: reasons.join('; ') } };
    return { ...(await reboot({ ...work, until: performance.now() + work.timeoutMs })), result };
  }
}

const notAnswering = ({ timeoutMs }: Work): Ended => ({
  ok: false,
  why: `does not answer for ${inSeconds(timeoutMs)}`,
  journal: [],
});

/** Asks until the machine answers; null = it has not by the deadline. @param fresh on a new connection. */
async function ask<Value>(
  { session, record, until }: Work,
  question: (machine: Machine) => Promise<Value>,
  fresh = false,
): Promise<Value | null> {
  for (let again = fresh; ; again = true) {
    try {
      const machine = again ? await session.machineAgain(record) : await session.machine(record);
      return await question(machine);
    } catch (error) {
      // A machine that goes down or comes up refuses in many ways.
      if (!(error instanceof ClusterError)) throw error;
      if (performance.now() > until) return null;
    }
    await sleep(ASK_EVERY_MS);
  }
}

/** What an update changed, by name. */
export function changes(before: Packages, after: Packages): PackageChange[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  const changed = names.flatMap((name): PackageChange[] => {
    const [from, to] = [before.get(name) ?? null, after.get(name) ?? null];
    return from === to ? [] : [{ name, from, to }];
  });
  if (changed.length <= MOST_PACKAGES) return changed;
  const rest = changed.length - MOST_PACKAGES;
  return [...changed.slice(0, MOST_PACKAGES), { name: `${rest} more packages`, from: null, to: null }];
}
