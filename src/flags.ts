import { Flags } from '@oclif/core';

const variable = (name: string): string => `CLUSTER_${name.toUpperCase().replaceAll('-', '_')}`;

/** A flag with a text; Go durations are texts too. Like all below, its variable is CLUSTER_NAME. */
export const text = (
  name: string,
  description: string,
  more: { aliases?: string[]; char?: 'b' | 'f' | 'p' | 's' } = {},
) => Flags.string({ description, env: variable(name), ...more });

/** A flag with a whole number. */
export const count = (name: string, description: string, more: { aliases?: string[]; min?: number } = {}) =>
  Flags.integer({ description, env: variable(name), ...more });

/** A number of seconds that has a default. */
export const seconds = (name: string, description: string, usual: number, min = 0) =>
  Flags.integer({ description, env: variable(name), default: usual, min });

/** On, off (`--no-NAME`) or, when not given, undefined. */
export const toggle = (name: string, description: string) =>
  Flags.boolean({ description, env: variable(name), allowNo: true });

/** A flag that may be repeated. */
export const list = (name: string, description: string) =>
  Flags.string({ description, env: variable(name), multiple: true, multipleNonGreedy: true });

/** How long commands that change units wait. */
export const waitFlags = {
  'no-block': Flags.boolean({
    description: 'return as soon as the jobs are queued; units that leave a machine are still stopped first',
    env: 'CLUSTER_NO_BLOCK',
  }),
  'block-attempts': Flags.integer({
    description: 'stop waiting after this many periods of 2 seconds; 0: wait as long as it takes',
    default: 0,
    min: 0,
    env: 'CLUSTER_BLOCK_ATTEMPTS',
  }),
};

/** How long what starts is watched. */
export const healthFlag = {
  'min-healthy': Flags.string({
    description:
      'how long services that cannot report readiness (Type=simple, exec) must stay up to count as started; 0: not watched',
    env: 'CLUSTER_MIN_HEALTHY',
  }),
};

/** What becomes of a request that cannot be met now. */
export const forgetFlag = {
  'or-forget': Flags.boolean({
    description:
      'withdraw the request for units that no machine can have now, instead of keeping it for later',
    default: false,
    env: 'CLUSTER_OR_FORGET',
  }),
};

export const replaceFlag = {
  replace: Flags.boolean({
    description: 'replace the stored file of the named units where the local one differs',
    default: false,
    env: 'CLUSTER_REPLACE',
    exclusive: ['keep'],
  }),
  keep: Flags.boolean({
    description:
      'go on with the stored file where the local one differs; without either, exit 3 and change nothing',
    default: false,
    env: 'CLUSTER_KEEP',
  }),
};

/** Which columns a list has, and how they look. */
export const listFlags = {
  fields: Flags.string({
    description: 'columns to print, comma-separated, in this order',
    env: 'CLUSTER_FIELDS',
  }),
  full: Flags.boolean({ char: 'l', description: 'do not shorten ids and hashes', env: 'CLUSTER_FULL' }),
  'no-legend': Flags.boolean({ description: 'omit the header', env: 'CLUSTER_NO_LEGEND' }),
};

/** How a list is laid out: to fit a terminal, never for a pipe. */
export const layout = (flags: {
  readonly fields?: string | undefined;
  readonly full: boolean;
  readonly 'no-legend': boolean;
}) => ({
  fields: flags.fields,
  legend: !flags['no-legend'],
  width: process.stdout.isTTY && !flags.full ? process.stdout.columns : undefined,
});

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

type Camel<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name;
type CamelKeys<Flags> = { [Name in keyof Flags as Camel<Name & string>]: Flags[Name] };

const camel = (name: string): string => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());

/** Flags under the names that code uses: `read-timeout` as `readTimeout`. */
export function camelKeys<Flags extends object>(flags: Flags): CamelKeys<Flags> {
  const entries = Object.entries(flags).map(([name, value]) => [camel(name), value]);
  return Object.fromEntries(entries) as CamelKeys<Flags>;
}
