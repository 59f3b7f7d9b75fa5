export { formatGoDuration, parseGoDuration } from './duration.ts';
export { readMiddleware } from './middleware.ts';
export type * from './model.ts';
export { checkId, type Kind, parsePath, pathOf, type TrafficPath } from './path.ts';
export { readBackend, readFrontend, readHost, readListener, readServer } from './read.ts';
export { applyTraffic, readTraffic, type StoredEntry, type TrafficChange } from './state.ts';
export { checkServerUrl, readServerUrl, type ServerAddress } from './url.ts';
export { encode, keepUnknown } from './write.ts';
