import { ClusterError } from '../error.ts';
import { printable } from '../printable.ts';

/** Output modes that entries of several units can be merged in. */
const MERGED = ['short', 'json', 'cat'];

/** @throws ClusterError `bad-output` for what only journalctl can print, which knows one machine. */
export function requireMerged(output: string): void {
  if (MERGED.includes(output)) return;
  throw new ClusterError(
    'bad-output',
    `--output ${output} is for one unit on one machine, without --follow`,
    {
      hint: `here it is one of ${MERGED.join(', ')}`,
    },
  );
}

/** `10m` and `1h30m` mean so long ago; all else is as journalctl takes it. */
export function sinceText(since: string | undefined): string | undefined {
  return since !== undefined && /^(\d+(us|ms|s|m|min|h|d|w))+$/.test(since) ? `-${since}` : since;
}

/** A line of one unit among others; `time` in microseconds, `address` where several machines are shown. */
export function journalLine(
  text: string,
  time: number,
  unit: string,
  address: string | null,
  output: string,
): string {
  if (output === 'cat') return printable(text);
  const where = address === null ? unit : `${unit}@${address}`;
  return `${new Date(time / 1000).toISOString()} ${where}: ${printable(text)}`;
}
