import type { MachineRecord } from '../registry/index.ts';
import { metadataText } from './format.ts';
import { renderTable } from './table.ts';

/** A machine on a few lines. */
export function machineCard(machine: MachineRecord, units: readonly string[]): string {
  const { target, facts } = machine;
  const rows = [
    ['machine', machine.id],
    ['address', `${target.user}@${target.address}:${target.port}`],
    ['hostname', facts.hostname],
    ['system', `${facts.os}, systemd ${facts.systemd}, Linux ${facts.kernel} ${facts.architecture}`],
    ['sudo', facts.sudo === 'root' ? 'not needed' : facts.sudo],
    ['metadata', metadataText(machine.metadata) || '-'],
    ['units', units.join(' ') || '-'],
  ];
  return renderTable(['', ''], rows, false);
}
