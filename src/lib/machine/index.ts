/**
 * One machine: SSH to reach it (ssh/), its systemd (systemd/), our files on it (files/), and connections that outlive a
 * command (held/), behind one port. Must not know the registry, a plan or what a person is shown.
 */
export { connectMachine } from './connect.ts';
export {
  foreignInstall,
  type Installed,
  installRelease,
  parseInstalled,
  readInstalled,
  shortRelease,
  uninstall,
  writeSettings,
} from './files/release.ts';
export { UNINSTALL_SCRIPT } from './files/release-scripts.ts';
export {
  APPLY_EXIT,
  APPLY_SCRIPT,
  BUILT_IN,
  FACTS_SCRIPT,
  MANIFEST_DIR,
  MANIFEST_SCRIPT,
  MISSING,
  OWNER_FILE,
  SETTLE_SCRIPT,
  UNIT_DIR,
  UNIT_DIRS,
  UNSETTLED_DIR,
} from './files/scripts.ts';
export {
  closeHeld,
  type HeldConnection,
  HeldConnections,
  type HolderOptions,
  listHeld,
} from './held/index.ts';
export { MachinePool } from './pool.ts';
export type * from './port.ts';
export {
  armUndo,
  beginUpdate,
  disarmUndo,
  type Packages,
  readBootId,
  rebootFrom,
  updateState,
  whyReboot,
} from './reboot.ts';
export {
  REBOOT_NEEDED_SCRIPT,
  REBOOT_SCRIPT,
  UNDO_SCRIPT,
  UNDO_STOP_SCRIPT,
  UPDATE_DIR,
  UPDATE_RESULT_SCRIPT,
  UPDATE_START_SCRIPT,
  UPDATE_UNIT,
} from './reboot-scripts.ts';
export { MARK, unframe } from './ssh/frame.ts';
export { Limit } from './ssh/limit.ts';
export {
  lookupHost,
  parseSpec,
  resolveTarget,
  unfollowedOptions,
} from './ssh/ssh-config.ts';
export { trustedHostKeys } from './ssh/trust.ts';
export { processesLeft } from './systemd/left.ts';
export { FAILURES_SCRIPT, LAST_LINES_SCRIPT, LEFT_SCRIPT, VERIFY_SCRIPT } from './systemd/scripts.ts';
