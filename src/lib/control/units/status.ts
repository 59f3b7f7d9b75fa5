import type { Session } from '../session.ts';
import { byMachine, type Located } from './locate.ts';

/** What systemctl says of a unit on one machine. */
export interface LocatedReport {
  readonly located: Located;
  readonly code: number;
  readonly text: string;
  /** Why it does not run, where systemd knows more than its text shows. */
  readonly why?: string | undefined;
}

/** `systemctl status` of each unit on each of its machines, in this order; each machine is asked once. */
export async function statusOf(session: Session, located: readonly Located[]): Promise<LocatedReport[]> {
  const answers = await Promise.all(
    byMachine(located).map(async ({ record, units }) => {
      const machine = await session.machine(record);
      const reports = await machine.status(units);
      const down = reports.filter(({ code }) => code !== 0).map(({ unit }) => unit);
      const states = down.length === 0 ? [] : await machine.statuses(down, true);
      const why = new Map(states.map((state) => [state.unit, state.why]));
      return reports.map(
        (report) => [keyOf(record.id, report.unit), { ...report, why: why.get(report.unit) }] as const,
      );
    }),
  );
  const byKey = new Map(answers.flat());
  return located.flatMap((item) => {
    const report = byKey.get(keyOf(item.machine.id, item.unit));
    return report === undefined ? [] : [{ located: item, ...report }];
  });
}

function keyOf(machine: string, unit: string): string {
  return `${machine}/${unit}`;
}
