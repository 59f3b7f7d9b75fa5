import { Flags } from '@oclif/core';

/** How long commands that change units wait. */
export const waitFlags = {
  'no-block': Flags.boolean({
    description: 'queue the jobs and return at once; only what is taken off a machine is stopped first',
    env: 'CLUSTER_NO_BLOCK',
  }),
  'block-attempts': Flags.integer({
    description: 'give up waiting after so many times 2 seconds (0: as long as it takes)',
    default: 0,
    min: 0,
    env: 'CLUSTER_BLOCK_ATTEMPTS',
  }),
};

export const replaceFlag = {
  replace: Flags.boolean({
    description:
      'take the local file where it differs from the stored one; for a template, in all its instances',
    default: false,
    env: 'CLUSTER_REPLACE',
  }),
};

/** How lists are cut to size. */
export const listFlags = {
  fields: Flags.string({ description: 'comma-separated columns, in this order', env: 'CLUSTER_FIELDS' }),
  full: Flags.boolean({ char: 'l', description: 'do not shorten ids and hashes', env: 'CLUSTER_FULL' }),
  'no-legend': Flags.boolean({ description: 'leave out the header', env: 'CLUSTER_NO_LEGEND' }),
};

export const labFlags = {
  name: Flags.string({ description: 'name of the lab', default: 'lab', env: 'CLUSTER_LAB_NAME' }),
};

/** What stands after `--` is the remote command, word for word: oclif would drop a word that it saw before. */
export function splitCommand(argv: readonly string[]): { head: string[]; rest: string[] } {
  const at = argv.indexOf('--');
  return at === -1 ? { head: [...argv], rest: [] } : { head: argv.slice(0, at), rest: argv.slice(at + 1) };
}
