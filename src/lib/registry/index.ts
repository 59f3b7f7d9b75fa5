/**
 * What the cluster should be and who is there, typed, on a store. Each part is a class with `load`, `watch` where
 * somebody follows it, and its writes. It must not decide anything, and no other room reads or writes keys.
 */
export {
  type Presence,
  readPresence,
  type ServiceArea,
  type ServiceEdit,
} from './announcements.ts';
export { audited, type Change, type EventRecord } from './audit.ts';
export type { Author } from './author.ts';
export { copyKeys } from './copy.ts';
export { EventRegistry } from './events.ts';
export {
  type GatewayRecord,
  GatewayRegistry,
  type GatewaySettings,
  GatewaySettingsRegistry,
  type GatewaySettingsState,
} from './gateways.ts';
export { type FileVersion, fileOf, HistoryRegistry } from './history.ts';
export {
  compareIdentity,
  type MovedTo,
  NO_IDENTITY,
  type RegistryIdentity,
  seenOf,
} from './identity.ts';
export { type LockEdit, type LockEntry, LockRegistry } from './locks.ts';
export type { MachineRecord, Problem, RegistryState, UnitRecord, Written } from './model.ts';
export { MovedMark, movedError, movedHint, movedText } from './moved.ts';
export { type RegistratorRecord, RegistratorRegistry } from './registrators.ts';
export { Registry } from './registry.ts';
export {
  type DriverHold,
  type RolloutEntry,
  RolloutRegistry,
} from './rollouts.ts';
export {
  type Announced,
  type ServiceChange,
  type ServiceObjects,
  ServiceRegistry,
  type ServiceWrite,
} from './services.ts';
export { type SwitchRecord, SwitchRegistry } from './switches.ts';
export { TrafficRegistry } from './traffic.ts';
export type { DriverRecord } from './validate-rollout.ts';
