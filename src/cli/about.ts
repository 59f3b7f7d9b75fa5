import pkg from '../../package.json' with { type: 'json' };

export const BIN = 'cluster';
export const VERSION = pkg.version;
export const DESCRIPTION = pkg.description;

/** Words that group commands: `cluster machine add`. */
export const TOPICS: Readonly<Record<string, string>> = pkg.oclif.topics;
