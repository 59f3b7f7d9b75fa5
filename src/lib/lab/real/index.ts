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
