import { ClusterError } from '../../error.ts';
import type { JobOutcome } from '../../machine/index.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import type { Session } from '../session.ts';
import { type ConvergeOptions, nameOf, within } from './converge.ts';
import { type Decision, decide } from './decide.ts';
import { type Answer, askAll } from './observe.ts';

/**
 * systemd's own restart, on every machine that a launched unit is assigned to: all at once or, `rolling`, one machine
 * after another until a unit fails; a machine that does not answer is passed over. @returns what failed, announced.
 */
export async function restartRunning(
  session: Session,
  state: RegistryState,
  names: readonly string[],
  { block, timeoutMs }: Pick<ConvergeOptions, 'block' | 'timeoutMs'>,
  rolling = false,
): Promise<ClusterError[]> {
  const wanted = new Set(names);
  const decision = decide(state, {});
  const byMachine = new Map<string, string[]>();
  for (const { machine, unit } of decision.assignments)
    if (wanted.has(unit)) byMachine.set(machine, [...(byMachine.get(machine) ?? []), unit]);
  const failures: ClusterError[] = [];
  for (const { unit, reasons } of decision.result.refusals.filter((refusal) => wanted.has(refusal.unit))) {
    session.emit({ kind: 'refused', unit, reasons });
    failures.push(new ClusterError('unplaceable', `unit ${unit} cannot be placed`, { unit }));
  }
  const machines = [...byMachine.keys()].flatMap((id) => state.machines.get(id) ?? []);
  const restartOn = async (records: readonly MachineRecord[]): Promise<ClusterError[]> => {
    const answers = await askAll(session, records, async (machine, record) => {
      const units = byMachine.get(record.id) ?? [];
      return within(machine.restart(units, block), timeoutMs, units[0] ?? '');
    });
    return answers.flatMap((answer) => announce(session, decision, answer, byMachine));
  };
  if (!rolling) return [...failures, ...(await restartOn(machines))];
  for (const [at, record] of machines.entries()) {
    const failed = await restartOn([record]);
    failures.push(...failed);
    const left = machines.length - at - 1;
    if (left === 0 || !failed.some(({ code }) => code === 'unit-failed' || code === 'wait-timeout')) continue;
    const message = `stopped there: ${left} machine${left === 1 ? '' : 's'} not restarted`;
    session.emit({ kind: 'warning', message });
    break;
  }
  return failures;
}

function announce(
  session: Session,
  decision: Decision,
  answer: Answer<JobOutcome[]>,
  byMachine: ReadonlyMap<string, readonly string[]>,
): ClusterError[] {
  const machine = nameOf(answer.machine);
  if ('error' in answer) {
    const { message, hint } = answer.error;
    const units = byMachine.get(machine.id) ?? [];
    session.emit({ kind: 'unreachable', machine, message, units, hint });
    return [answer.error];
  }
  const failures: ClusterError[] = [];
  for (const { unit, result, failure } of answer.value) {
    const global = decision.globals.has(unit);
    if (result === 'queued') session.emit({ kind: 'triggered', unit, verb: 'restart', global });
    else if (result === 'done') session.emit({ kind: 'state', unit, state: 'restarted', machine, global });
    else {
      const how = failure?.how ?? `job ${result}`;
      session.emit({ kind: 'failed', unit, machine, how, journal: failure?.journal ?? [] });
      failures.push(
        new ClusterError('unit-failed', `unit ${unit} failed: ${how}`, { unit, machine: machine.id }),
      );
    }
  }
  return failures;
}
