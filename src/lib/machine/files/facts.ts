import { ClusterError } from '../../error.ts';
import type { MachineFacts, MachineTarget } from '../port.ts';

/** Reads the answer of FACTS_SCRIPT; a machine without systemd or machine id is refused. */
export function parseFacts(target: MachineTarget, text: string): MachineFacts {
  const facts = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, key, value] = /^([a-z-]+) (.*)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined && !facts.has(key)) facts.set(key, value.trim());
  }
  const get = (key: string) => facts.get(key) ?? '';
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
  };
}
