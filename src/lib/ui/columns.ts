import type { MachineRow } from '../control/machines/list.ts';
import type { UnitFileRow, UnitRow } from '../control/units/list.ts';
import { age, machineId, machineLegend, metadataText } from './format.ts';
import type { Columns } from './table.ts';

const hash = (text: string, full: boolean): string => (full ? text : text.slice(0, 7));

/** `now`: milliseconds since 1970. */
export function unitColumns(full: boolean, now: number): Columns<UnitRow> {
  return {
    unit: (row) => row.unit,
    machine: (row) => (row.machine === null ? '-' : machineLegend(row.machine, full)),
    load: (row) => row.load,
    active: (row) => row.active,
    sub: (row) => (row.leaving ? 'leaving' : row.sub),
    since: (row) => (row.since ? age(now - row.since) : '-'),
    why: (row) => row.why ?? row.error ?? '-',
    restarts: (row) => String(row.restarts ?? '-'),
    hash: (row) => hash(row.hash, full),
  };
}

export function unitFileColumns(full: boolean): Columns<UnitFileRow> {
  const target = (row: UnitFileRow): string =>
    row.global
      ? 'global'
      : row.target === null
        ? (row.leaving?.map((one) => machineLegend(one, full)).join(',') ?? '-')
        : machineLegend(row.target, full);
  return {
    unit: (row) => row.unit,
    hash: (row) => hash(row.hash, full),
    desc: (row) => row.desc,
    dstate: (row) => row.dstate,
    global: (row) => String(row.global),
    state: (row) => (row.leaving === undefined ? (row.state ?? '-') : `${row.state ?? '-'} (leaving)`),
    target,
    tmachine: target,
  };
}

export function machineColumns(full: boolean): Columns<MachineRow> {
  return {
    machine: (row) => machineId(row.id, full),
    ip: (row) => row.address,
    hostname: (row) => row.hostname,
    metadata: (row) => metadataText(row.metadata),
    state: (row) => `${row.state ?? '-'}${Object.keys(row.cordons).length === 0 ? '' : ', cordoned'}`,
    cordons: (row) => Object.keys(row.cordons).join(',') || '-',
    release: (row) => row.release ?? '-',
    units: (row) => String(row.units),
  };
}
