import { ClusterError } from '../error.ts';
import type { RegistryState } from '../registry/index.ts';
import { nameOf } from './converge.ts';
import { decide } from './decide.ts';
import { askAll } from './observe.ts';
import type { Session } from './session.ts';

/** systemd's own restart, on every machine that a launched unit is assigned to. @returns what failed, announced. */
export async function restartRunning(
  session: Session,
  state: RegistryState,
  names: readonly string[],
  block: boolean,
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
  const answers = await askAll(session, machines, async (machine, record) =>
    machine.restart(byMachine.get(record.id) ?? [], block),
  );
  for (const answer of answers) {
    const machine = nameOf(answer.machine);
    if ('error' in answer) {
      failures.push(answer.error);
      session.emit({
        kind: 'unreachable',
        machine,
        message: answer.error.message,
        units: byMachine.get(machine.id) ?? [],
        hint: answer.error.hint,
      });
      continue;
    }
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
  }
  return failures;
}
