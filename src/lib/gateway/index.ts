export { readSeverity } from '../keep/reporter.ts';
export { durationMs } from '../traffic/index.ts';
export type { GatewayStatus } from './admin.ts';
export { readAddress } from './admin.ts';
export { machineName } from './gateway.ts';
export { serve } from './serve.ts';
export { sumRows, type Top, type TopRow } from './top.ts';
