import type { RegistratorRecord } from '../registry/index.ts';
import { machineId } from './format.ts';
import { renderTable } from './table.ts';

/** One line for each registrator, then what its containers ask for and do not get. */
export function registratorTable(records: readonly RegistratorRecord[]): string {
  const rows = records.map(({ machine, hostname, announced, problems }) => [
    machineId(machine, machine.length <= 12),
    hostname,
    String(announced),
    String(problems.length),
  ]);
  return `${renderTable(['machine', 'hostname', 'announced', 'problems'], rows, true)}${registratorRemarks(records)}`;
}

/** What registrators report, after an empty line; '' where there is nothing. */
export function registratorRemarks(records: readonly RegistratorRecord[]): string {
  const lines = records.flatMap(({ hostname, problems }) =>
    problems.map((problem) => `${hostname}: registrator: ${problem.replace(/\p{Cc}+/gu, ' ')}\n`),
  );
  return lines.length === 0 ? '' : `\n${lines.join('')}`;
}
