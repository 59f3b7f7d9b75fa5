/**
 * Where settings come from: flags, environment, cluster.yaml. It reads and checks them; it opens nothing they name and
 * knows no other room.
 */
export type { FileUser } from './file.ts';
export { loadConfig } from './load.ts';
export type { Config, ConfigFlags, ConfigInput } from './model.ts';
