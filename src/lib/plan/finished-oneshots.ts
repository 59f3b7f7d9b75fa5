import { effectiveValues, readUnitFile } from '../unit/index.ts';

/** Whether a unit file is of a oneshot that is inactive once it has done its work: systemd does not call that a failure. */
export function endsByItself(text: string): boolean {
  // Parsing every file for the few oneshots would cost every run.
  if (!text.includes('oneshot')) return false;
  const file = readUnitFile(text);
  const last = (key: string): string => effectiveValues(file, 'Service', key).at(-1) ?? '';
  return last('Type') === 'oneshot' && !/^(1|yes|y|true|t|on)$/i.test(last('RemainAfterExit'));
}
