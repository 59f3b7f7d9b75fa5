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

/** A command line that ends in a command for a machine. */
export interface RemoteLine {
  /** Our own flags, with the words that name the machine. */
  readonly own: string[];
  /** Words as typed, joined by spaces as ssh does: the shell of the machine reads them. Null = none. */
  readonly command: string | null;
}

/**
 * Where the remote command begins, as ssh has it: at its first word, and all that follows is its own. Our flags stand
 * before or after the `targets` words that name the machine; `--` ends them.
 */
export function splitRemote(
  argv: readonly string[],
  flags: Readonly<Record<string, { readonly type: string; readonly char?: string | undefined }>>,
  targets: (own: readonly string[]) => number,
): RemoteLine {
  const own: string[] = [];
  let named = 0;
  let at = 0;
  for (; at < argv.length; at++) {
    const word = argv[at]!;
    if (word === '--' && named >= targets(own)) {
      at++;
      break;
    }
    if (word === '--') continue;
    if (!word.startsWith('-') || word === '-') {
      if (named >= targets(own)) break;
      named++;
      own.push(word);
      continue;
    }
    own.push(word);
    const flag = Object.entries(flags).find(
      ([name, { char }]) => word === `--${name}` || word === `-${char}`,
    )?.[1];
    if (flag?.type === 'option' && at + 1 < argv.length) own.push(argv[++at]!);
  }
  const command = argv.slice(at);
  return { own, command: command.length === 0 ? null : command.join(' ') };
}
