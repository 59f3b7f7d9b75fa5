/**
 * Throw-away machines with real systemd, in nspawn on this computer. It must not be used by anything that runs in
 * production.
 */
export {
  labCutOff,
  labDown,
  labKill,
  labLeftovers,
  labReboot,
  labReconnect,
  labStatus,
  labUp,
} from './lab.ts';
export { labSshArgs } from './machine.ts';
export { labPossible } from './possible.ts';
export type { LabMachine } from './state.ts';
