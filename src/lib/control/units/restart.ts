import { ClusterError } from '../../error.ts';
import type { JobOutcome } from '../../machine/index.ts';
import { type Decision, decide } from '../../plan/index.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import { nameOf, reportFailed, reportRefused, reportUnreachable, throwFailures } from '../report.ts';
import type { Session } from '../session.ts';
import { askAll, Reachability } from './ask.ts';
import { followOthers, type Waiting, waitFor } from './converge.ts';
import { nameUnits, notInactive, requireKnown } from './name-units.ts';
import { checkOwner } from './owner.ts';
import { scopeOfUnits } from './scope.ts';
import { start } from './start.ts';
import { type VerbOptions, waiting } from './verb.ts';
import { Waits } from './waits.ts';

/** Restarts what runs, starts what is loaded; global units on each of their machines. */
export async function restart(
  session: Session,
  args: readonly string[],
  options: VerbOptions,
): Promise<void> {
  const state = await session.state({ toChange: true });
  const names = requireKnown(state, nameUnits(state, args, notInactive));
  const idle = names.find((name) => state.units.get(name)?.desired === 'inactive');
  if (idle !== undefined)
    throw new ClusterError('not-loaded', `Unable to restart unit ${idle} in state inactive`, {
      unit: idle,
      hint: `cluster start ${idle}`,
    });
  const launched = names.filter((name) => state.units.get(name)?.desired === 'launched');
  const loaded = names.filter((name) => state.units.get(name)?.desired === 'loaded');
  const failures: ClusterError[] = [];
  if (launched.length > 0)
    failures.push(...(await restartLaunched(session, state, launched, waiting(options))));
  if (loaded.length > 0) await start(session, loaded, 'launched', { ...options, differing: 'keep' });
  throwFailures(failures);
}

/**
 * systemd's own restart, on every machine that a launched unit is assigned to, side by side; a machine that does not
 * answer is passed over. @returns what failed, reported.
 */
async function restartLaunched(
  session: Session,
  state: RegistryState,
  names: readonly string[],
  { block, timeoutMs }: Waiting,
): Promise<ClusterError[]> {
  const wanted = new Set(names);
  const decision = decide(state);
  const byMachine = new Map<string, string[]>();
  for (const { machine, unit } of decision.assignments)
    if (wanted.has(unit)) byMachine.set(machine, [...(byMachine.get(machine) ?? []), unit]);
  const failures = decision.result.refusals
    .filter(({ unit }) => wanted.has(unit))
    .map((refusal) => reportRefused(session, refusal));

  const waits = new Waits(session);
  let done = 0;
  const machines = [...byMachine.keys()].flatMap((id) => state.machines.get(id) ?? []);
  const restartOn = async (records: readonly MachineRecord[]): Promise<ClusterError[]> => {
    const answers = await askAll(session, records, async (machine, record) => {
      const units = byMachine.get(record.id) ?? [];
      await checkOwner(session, record, (await machine.manifest()).owner, state.identity);
      const failed: ClusterError[] = [];
      const name = nameOf(record);
      let over = false;
      const onOutcome = (outcome: JobOutcome): void => {
        if (over) return;
        waits.end(name, outcome.unit);
        if (outcome.result === 'done') done++;
        failed.push(...report(session, decision, record, outcome));
      };
      if (block) waits.begin(name, 'restart', units);
      const { minHealthyMs } = session.config;
      const work = machine.restart(units, block, { minHealthyMs, onOutcome });
      await waitFor(work, timeoutMs, units[0] ?? '').finally(() => {
        over = true;
        for (const unit of units) waits.end(name, unit);
      });
      return failed;
    });
    return answers.flatMap((answer) => {
      if (!('error' in answer)) return answer.value;
      const { machine, error } = answer;
      return [reportUnreachable(session, machine, error, { units: byMachine.get(machine.id) ?? [] })];
    });
  };
  // What was stopped or destroyed meanwhile must not run because of our restart.
  const follow = async (): Promise<ClusterError[]> => {
    const { revisions, identity } = state;
    const written = { schedule: revisions.get('schedule') ?? 0, revisions, identity };
    const reachability = new Reachability(session);
    const decided = { before: state, decision, reachability, identity, value: null, written };
    const scope = scopeOfUnits(state, decision, wanted);
    const later = await followOthers(session, decided, scope, { block, timeoutMs, asked: wanted });
    return [...later.overtaken, ...later.failures];
  };
  const begun = performance.now();
  const end = async (): Promise<ClusterError[]> => {
    const summary = { state: 'restarted', done, failed: failures.length, machines: machines.length } as const;
    const seconds = (performance.now() - begun) / 1000;
    if (block && done + failures.length > 1) session.emit({ kind: 'summary', ...summary, seconds });
    return [...(await follow()), ...failures];
  };
  failures.push(...(await restartOn(machines)));
  return await end();
}

function report(
  session: Session,
  decision: Decision,
  record: MachineRecord,
  outcome: JobOutcome,
): ClusterError[] {
  const { unit, result } = outcome;
  const global = decision.globals.has(unit);
  const machine = nameOf(record);
  if (result === 'queued') session.emit({ kind: 'triggered', unit, verb: 'restart', global });
  else if (result === 'done') session.emit({ kind: 'state', unit, state: 'restarted', machine, global });
  else return [reportFailed(session, record, outcome)];
  return [];
}
