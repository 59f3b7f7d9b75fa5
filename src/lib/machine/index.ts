export { connectMachine } from './connect.ts';
export {
  foreignInstall,
  type Installed,
  installRelease,
  parseInstalled,
  readInstalled,
  shortRelease,
  writeSettings,
} from './files/release.ts';
export {
  APPLY_EXIT,
  APPLY_SCRIPT,
  CLUSTER_TARGET,
  FACTS_SCRIPT,
  JOURNAL_SCRIPT,
  MANIFEST_DIR,
  MANIFEST_SCRIPT,
  MISSING,
  PENDING,
  SCRIPT,
  SETTLE_SCRIPT,
  UNIT_DIR,
  UNSETTLED_DIR,
} from './files/scripts.ts';
export {
  closeHeld,
  type HeldConnection,
  HeldConnections,
  type HolderOptions,
  type HoldOptions,
  listHeld,
} from './held/index.ts';
export { MachinePool, type PoolOptions } from './pool.ts';
export type * from './port.ts';
export { quote } from './quote.ts';
export { MARK, unframe } from './ssh/frame.ts';
export { Limit } from './ssh/limit.ts';
export {
  lookupHost,
  type MachineSpec,
  parseSpec,
  resolveTarget,
  unfollowedOptions,
} from './ssh/ssh-config.ts';
export { trustedHostKeys } from './ssh/trust.ts';
