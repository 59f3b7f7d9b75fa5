/**
 * A machine's systemd over D-Bus and its command line tools: states, jobs, journal, watching. It must not open
 * connections of its own, and no other room runs a command line of systemd.
 */
import { splitUnitName } from '../../unit/index.ts';
import type { RunCommand } from './commands.ts';
import { systemdScript } from './scripts.ts';

/** What `systemd-analyze verify` says about this text of a unit file, without the paths of its copy there. */
export async function analyzeUnit(run: RunCommand, unit: string, text: string): Promise<string[]> {
  // A template can only be analysed as one of its instances.
  const isTemplate = splitUnitName(unit)?.isTemplate === true;
  const probe = isTemplate ? unit.replace('@.', '@verify.') : unit;
  const { stdout } = await run(systemdScript('verify', unit, probe), { stdin: text });
  return remarksAbout([unit, probe], stdout);
}

/** The lines that are about these names; that units which this one needs are missing says nothing here. */
export function remarksAbout(names: readonly string[], text: string): string[] {
  return text
    .split('\n')
    .filter((line) => names.some((name) => line.includes(name)))
    .filter((line) => !/Failed to create .*: Unit .* not found/.test(line))
    .map((line) => line.replace(/\/tmp\/tmp\.[^/]*\//g, ''));
}
