/**
 * The gateway process: follows the registry, keeps the proxy at the last good state, reports what is live. It must
 * not know the proxy's words; those are behind `proxy.ts`.
 */
export { readSeverity } from '../keep/reporter.ts';
export { durationMs } from '../traffic/index.ts';
export type { GatewayStatus } from './admin.ts';
export { readAddress } from './admin.ts';
export { machineName } from './gateway.ts';
export { serve } from './serve.ts';
export { sumRows, type Top, type TopRow } from './top.ts';
