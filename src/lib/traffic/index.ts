/**
 * vulcand's model of traffic: its keys, how values are read and written, what an upsert changes, which frontend a
 * switch means. Pure: it must not touch a store or know who serves the frontends.
 */
export { formatGoDuration, parseGoDuration } from './duration.ts';
export * from './edit.ts';
export * from './edit-middleware.ts';
export { isObject, parseObject } from './fields.ts';
export { readMiddleware } from './middleware.ts';
export type * from './model.ts';
export { checkId, parsePath, pathOf, type TrafficPath } from './path.ts';
export { readBackend, readFrontend, readHost, readListener, readServer } from './read.ts';
export { applyTraffic, readTraffic, type StoredEntry, type TrafficChange } from './state.ts';
export * from './stored.ts';
export * from './switch.ts';
export { readSyslogAddress, type SyslogTarget } from './syslog.ts';
export {
  checkServerUrl,
  isLoopback,
  LISTENER_DIRECTORY,
  listenerSocket,
  readServerUrl,
} from './url.ts';
export { encode, keepUnknown } from './write.ts';
export * from './yields.ts';
