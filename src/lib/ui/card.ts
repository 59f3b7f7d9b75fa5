import { createHash } from 'node:crypto';
import Table from 'cli-table3';
import type { MachineRecord } from '../registry/index.ts';
import { metadataText } from './format.ts';

const BORDERS = [
  'top',
  'top-mid',
  'top-left',
  'top-right',
  'bottom',
  'bottom-mid',
  'bottom-left',
  'bottom-right',
];
BORDERS.push('left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid');

/** `type SHA256:...` of a `type base64` key, as OpenSSH shows it. */
function fingerprintOf(key: string): string {
  const [type = '', base64 = ''] = key.split(' ');
  const print = createHash('sha256').update(Buffer.from(base64, 'base64')).digest('base64');
  return `${type} SHA256:${print.replace(/=+$/, '')}`;
}

/** A machine on a few lines. */
export function machineCard(machine: MachineRecord, units: readonly string[]): string {
  const { target, facts } = machine;
  const rows = [
    ['machine', machine.id],
    ['address', `${target.user}@${target.address}:${target.port}`],
    ['hostname', facts.hostname],
    ['system', `${facts.os}, systemd ${facts.systemd}, Linux ${facts.kernel} ${facts.architecture}`],
    ['sudo', facts.sudo === 'root' ? 'not needed' : facts.sudo],
    ...(target.hostKeys ?? []).map((key) => ['shared host key', fingerprintOf(key)]),
    ['metadata', metadataText(machine.metadata) || '-'],
    ['units', units.join(' ') || '-'],
  ];
  const none = Object.fromEntries(BORDERS.map((name) => [name, '']));
  const table = new Table({
    chars: { ...none, middle: '  ' },
    // No colours: what is between the columns is coloured too, terminal or not.
    style: { 'padding-left': 0, 'padding-right': 0, border: [] },
  });
  table.push(...rows);
  return `${table.toString().replace(/ +$/gm, '')}\n`;
}
