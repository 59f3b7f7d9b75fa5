import { ClusterError, EXIT } from '../lib/error.ts';

interface FlagShape {
  readonly type: string;
  readonly char?: string | undefined;
  readonly aliases?: readonly string[] | undefined;
  readonly allowNo?: boolean | undefined;
}

/**
 * Rewrites vctl's spelling of flags to ours: one dash or two, `-readTimeout` for `--read-timeout`, a value after `=` or
 * a space, `-ocsp=false`. Words that are no flag of the command are kept, so that a typo is still an unknown flag.
 * @throws ClusterError `usage` for a flag without its value.
 */
export function vctlArguments(argv: readonly string[], flags: Readonly<Record<string, FlagShape>>): string[] {
  const names = new Map<string, string>();
  for (const [name, { char, aliases = [] }] of Object.entries(flags))
    for (const word of [name, char, ...aliases]) if (word !== undefined) names.set(plain(word), name);
  const flagOf = (word: string) => names.get(plain(/^--?([A-Za-z][\w-]*)/.exec(word)?.[1] ?? ''));
  const out: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? '';
    if (word === '--') return [...out, ...argv.slice(at)];
    const [, typed = '', value] = /^--?([A-Za-z][\w-]*)(?:=(.*))?$/s.exec(word) ?? [];
    const name = names.get(plain(typed));
    const flag = name === undefined ? undefined : flags[name];
    if (typed === '') out.push(word);
    else if (name === undefined || flag === undefined) out.push(word.replace(/^-(?=[A-Za-z]{2})/, '--'));
    else if (flag.type === 'boolean') out.push(...booleanWord(name, value, flag));
    else if (value !== undefined) out.push(`--${name}=${value}`);
    else if (flagOf(argv[at + 1] ?? '-') === undefined && at + 1 < argv.length)
      out.push(`--${name}=${argv[++at] ?? ''}`);
    else throw noValue(name);
  }
  return out;
}

/**
 * Removes vctl's `--vulcan URL`, which may be anywhere on the line: there is no vulcand to talk to.
 * @throws ClusterError `usage`, in vctl's words, if the URL is missing.
 */
export function withoutVulcan(argv: readonly string[]): string[] {
  const at = argv.findIndex((word) => /^--?vulcan(=|$)/.test(word));
  const end = argv.indexOf('--');
  if (at === -1 || (end !== -1 && end < at)) return [...argv];
  const isApart = !argv[at]?.includes('=');
  if (isApart && argv[at + 1] === undefined)
    throw new ClusterError('usage', 'provide a valid vulcan URL', {
      hint: 'or leave it out: cluster reads and writes the registry itself (--endpoint)',
      exit: EXIT.usage,
    });
  return [...argv.slice(0, at), ...argv.slice(at + (isApart ? 2 : 1))];
}

function noValue(name: string): ClusterError {
  return new ClusterError('usage', `flag --${name} expects a value`, {
    hint: `--${name} VALUE; --help says more`,
    exit: EXIT.usage,
  });
}

function booleanWord(name: string, value: string | undefined, { allowNo }: FlagShape): string[] {
  if (value === undefined || /^(1|t|true)$/i.test(value)) return [`--${name}`];
  if (/^(0|f|false)$/i.test(value)) return allowNo ? [`--no-${name}`] : [];
  return [`--${name}=${value}`];
}

const plain = (word: string): string => word.replaceAll('-', '').toLowerCase();
