import { spawnSync } from 'node:child_process';
import type { OptionValues } from './config-options.ts';

/** `Match exec` of the user's own file may ask something of the network. */
const PATIENCE_MS = 10_000;
const LISTS = new Set(['userknownhostsfile', 'globalknownhostsfile']);

export interface Asked {
  readonly host: string;
  readonly user?: string;
  readonly port?: number;
  /** As in SshOptions. */
  readonly config?: string | null;
}

/**
 * What the system's own client makes of a host, by `ssh -G`: the options whose values differ from a client without any
 * configuration. Null where there is no such client, or it refuses the configuration.
 */
export function askSsh(asked: Asked): OptionValues | null {
  const values = run(asked);
  const defaults = values && run({ host: asked.host, config: null });
  if (!values || !defaults) return null;
  const differ = Object.entries(values).filter(([key, value]) => String(defaults[key]) !== String(value));
  return Object.fromEntries(differ);
}

function run({ host, user, port, config }: Asked): Record<string, string[]> | null {
  const args = [
    '-G',
    ...(config === undefined ? [] : ['-F', config ?? '/dev/null']),
    ...(user === undefined ? [] : ['-l', user]),
    ...(port === undefined ? [] : ['-p', String(port)]),
    '--',
    host,
  ];
  const { status, stdout } = spawnSync('ssh', args, {
    encoding: 'utf8',
    timeout: PATIENCE_MS,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 ? parse(stdout) : null;
}

function parse(text: string): Record<string, string[]> {
  const values: Record<string, string[]> = {};
  for (const line of text.split('\n')) {
    const [, key, value] = /^(\S+) (.*)$/.exec(line) ?? [];
    if (key === undefined || value === undefined) continue;
    values[key] = [...(values[key] ?? []), ...(LISTS.has(key) ? value.split(' ') : [value])];
  }
  return values;
}
