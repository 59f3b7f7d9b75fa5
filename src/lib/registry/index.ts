export type { MachineRecord, Problem, RegistryChange, RegistryState, UnitRecord } from './model.ts';
export { Registry } from './registry.ts';
