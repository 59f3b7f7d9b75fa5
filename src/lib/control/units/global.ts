import type { RegistryState } from '../../registry/index.ts';
import { parseUnitFile, parseUnitName, requirements } from '../../unit/index.ts';

/** Whether the registry's unit of that name runs on every machine that qualifies; templates and unknown ones do not. */
export function isGlobal(state: Pick<RegistryState, 'units' | 'files'>, unit: string): boolean {
  const text = state.files.get(state.units.get(unit)?.hash ?? '') ?? '';
  // Parsing every file for the few global units would slow down every list.
  if (!text.includes('Global') || parseUnitName(unit).isTemplate) return false;
  return requirements(unit, parseUnitFile(text)).global;
}
