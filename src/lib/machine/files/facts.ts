import { ClusterError } from '../../error.ts';
import type { MachineDetails, MachineTarget } from '../port.ts';

/** Reads the answer of FACTS_SCRIPT. @throws ClusterError `machine-unsuitable` without systemd or machine id. */
export function parseFacts(target: MachineTarget, text: string): MachineDetails {
  const facts = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [, key, value] = /^([a-z-]+) (.*)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) facts.set(key, [...(facts.get(key) ?? []), value.trim()]);
  }
  const get = (key: string) => facts.get(key)?.[0] ?? '';
  const { PRETTY_HOSTNAME } = readFields(facts.get('machine-info') ?? []);
  const systemd = Number(/^systemd (\d+)/.exec(get('systemd'))?.[1] ?? 0);
  const machineId = get('machine-id');
  if (systemd === 0 || !/^[0-9a-f]{32}$/.test(machineId)) {
    throw new ClusterError(
      'machine-unsuitable',
      `${target.address} ${systemd === 0 ? 'does not run systemd' : 'has no /etc/machine-id'}`,
      {
        machine: target.address,
        hint: 'cluster needs a Linux server that systemd booted',
      },
    );
  }
  const sudo = get('sudo');
  return {
    machineId,
    bootId: get('boot-id').replaceAll('-', ''),
    hostname: get('hostname'),
    os: get('os'),
    systemd,
    kernel: get('kernel'),
    architecture: get('architecture'),
    sudo: sudo === 'root' || sudo === 'sudo' ? sudo : 'denied',
    ...amountOf('memory', get('memory-kb'), KILOBYTE),
    ...amountOf('cpus', get('cpus'), 1),
    osRelease: readFields(facts.get('os-release') ?? []),
    ...(PRETTY_HOSTNAME !== undefined && { prettyHostname: PRETTY_HOSTNAME }),
  };
}

const KILOBYTE = 1024;

/** A count that a machine may not tell. */
function amountOf<Name extends string>(name: Name, text: string, times: number): { [K in Name]?: number } {
  const count = /^[1-9]\d{0,14}$/.test(text) ? Number(text) * times : 0;
  return (count === 0 || !Number.isSafeInteger(count) ? {} : { [name]: count }) as { [K in Name]?: number };
}

/** `KEY=value` lines with the shell's quotes: os-release(5), machine-info(5). */
function readFields(lines: readonly string[]): Record<string, string> {
  const out: Record<string, string> = {};
  for (const line of lines) {
    const [, key = '', quote = '', value = ''] = /^([A-Z_]+)=(["']?)(.*)\2$/.exec(line) ?? [];
    if (key !== '') out[key] = quote === "'" ? value : value.replace(/\\(["$`\\])/g, '$1');
  }
  return out;
}
