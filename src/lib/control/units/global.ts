import type { RegistryState } from '../../registry/index.ts';
import { parseUnitFile, parseUnitName, requirements } from '../../unit/index.ts';

/** Whether the registry's unit of that name runs on every machine that qualifies; templates and unknown ones do not. */
export function isGlobal(state: Pick<RegistryState, 'units' | 'files'>, unit: string): boolean {
  const text = state.files.get(state.units.get(unit)?.hash ?? '') ?? '';
  // Most units never say the word: parsing them all for it would cost every list.
  if (!text.includes('Global') || parseUnitName(unit).isTemplate) return false;
  return requirements(unit, parseUnitFile(text)).global;
}
