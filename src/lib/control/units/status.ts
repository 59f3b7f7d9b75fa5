import type { Session } from '../session.ts';
import { byMachine, type Located } from './locate.ts';

/** What systemctl says of a unit on one machine. */
export interface LocatedReport {
  readonly located: Located;
  readonly code: number;
  readonly text: string;
}

/** `systemctl status` of each unit on each of its machines, in this order; each machine is asked once. */
export async function statusOf(session: Session, located: readonly Located[]): Promise<LocatedReport[]> {
  const answers = await Promise.all(
    byMachine(located).map(async ({ record, units }) => {
      const reports = await (await session.machine(record)).status(units);
      return reports.map((report) => [keyOf(record.id, report.unit), report] as const);
    }),
  );
  const byKey = new Map(answers.flat());
  return located.flatMap((item) => {
    const report = byKey.get(keyOf(item.machine.id, item.unit));
    return report === undefined ? [] : [{ located: item, code: report.code, text: report.text }];
  });
}

function keyOf(machine: string, unit: string): string {
  return `${machine}/${unit}`;
}
