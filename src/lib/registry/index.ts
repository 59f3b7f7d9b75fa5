export {
  type GatewayRecord,
  type GatewaySettings,
  gatewayKey,
  gatewaySettingsKey,
  gatewaysPrefix,
  loadGateways,
  readGateway,
  type SwitchRecord,
  switchesPrefix,
} from './gateways.ts';
export type { MachineRecord, Problem, RegistryChange, RegistryState, UnitRecord } from './model.ts';
export { Registry } from './registry.ts';
export { forgetSwitches, loadSwitches, rememberSwitch, switchedFrontends } from './switches.ts';
export { type TrafficEdit, TrafficRegistry } from './traffic.ts';
