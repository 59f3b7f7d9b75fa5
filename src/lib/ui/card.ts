/**
 * What a person reads: tables, cards, sentences, errors. It must not ask anybody for data or decide anything.
 */
import { createHash } from 'node:crypto';
import type { MachineRecord } from '../registry/index.ts';
import { metadataText } from './format.ts';
import { renderTable } from './table.ts';

/** `type SHA256:...` of a `type base64` key, as OpenSSH shows it. */
function fingerprintOf(key: string): string {
  const [type = '', base64 = ''] = key.split(' ');
  const print = createHash('sha256').update(Buffer.from(base64, 'base64')).digest('base64');
  return `${type} SHA256:${print.replace(/=+$/, '')}`;
}

function sizeOf({ memory, cpus }: MachineRecord['facts']): string {
  const known = [
    ...(memory === undefined ? [] : [`${(memory / 2 ** 30).toFixed(1)} GB of memory`]),
    ...(cpus === undefined ? [] : [`${cpus} CPU${cpus === 1 ? '' : 's'}`]),
  ];
  return known.join(', ') || 'not known';
}

/** A machine on a few lines. */
export function machineCard(machine: MachineRecord, units: readonly string[]): string {
  const { target, facts } = machine;
  const rows = [
    ['machine', machine.id],
    ['address', `${target.user}@${target.address}:${target.port}`],
    ['hostname', facts.hostname],
    ['system', `${facts.os}, systemd ${facts.systemd}, Linux ${facts.kernel} ${facts.architecture}`],
    ['size', sizeOf(facts)],
    ['sudo', facts.sudo === 'root' ? 'not needed' : facts.sudo],
    ...(target.hostKeys ?? []).map((key) => ['shared host key', fingerprintOf(key)]),
    ['metadata', metadataText(machine.metadata) || '-'],
    ...Object.entries(machine.cordons ?? {}).map(([owner, { who, since, reason }]) => [
      'cordoned by',
      `${owner}${reason === undefined ? '' : `: ${reason}`} (${who}, ${since})`,
    ]),
    ['units', units.join(' ') || '-'],
  ];
  return renderTable(['', ''], rows, false);
}
