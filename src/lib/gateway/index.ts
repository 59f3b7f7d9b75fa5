export type { GatewayStatus } from './admin.ts';
export { readAddress } from './admin.ts';
export { readSeverity } from './logger.ts';
export { machineName } from './run.ts';
export { type ServeOptions, serve } from './serve.ts';
export { sumRows, type Top, type TopRow } from './stats.ts';
