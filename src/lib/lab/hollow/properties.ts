import type { HollowSystemd } from './systemd.ts';
import type { HollowUnit } from './unit-state.ts';
import { type BusValue, Variant } from './wire.ts';

export const SYSTEMD_PATH = '/org/freedesktop/systemd1';
export const MANAGER = 'org.freedesktop.systemd1.Manager';
export const UNIT = 'org.freedesktop.systemd1.Unit';
export const HOLLOW_VERSION = '252 (hollow)';

type Properties = Record<string, Variant>;

const text = (value: string): Variant => new Variant('s', value);
const number = (value: number): Variant => new Variant('u', value);
const signed = (value: number): Variant => new Variant('i', value);
const time = (value: number): Variant => new Variant('t', value);
const flag = (value: boolean): Variant => new Variant('b', value);
const names = (value: readonly string[]): Variant => new Variant('as', value);

/** D-Bus object path of a unit, escaped as systemd's bus_label_escape does. */
export function unitPath(name: string): string {
  const label = [...Buffer.from(name)].map((byte, i) => {
    const c = String.fromCharCode(byte);
    return /[A-Za-z]/.test(c) || (i > 0 && /\d/.test(c)) ? c : `_${byte.toString(16).padStart(2, '0')}`;
  });
  return `${SYSTEMD_PATH}/unit/${label.join('')}`;
}

/** Unit name of such a path; null when it is none. */
export function unitOfPath(path: string): string | null {
  const prefix = `${SYSTEMD_PATH}/unit/`;
  if (!path.startsWith(prefix)) return null;
  const bytes = path
    .slice(prefix.length)
    .replace(/_([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

export function jobPath(id: number): string {
  return `${SYSTEMD_PATH}/job/${id}`;
}

/** One row of ListUnits: a(ssssssouso). */
export function unitRow(unit: HollowUnit): BusValue[] {
  const { job } = unit;
  const description = unit.load === 'not-found' ? unit.name : unit.def.description;
  const state = [unit.name, description, unit.load, unit.active, unit.sub, '', unitPath(unit.name)];
  return [...state, job?.id ?? 0, job?.type ?? '', job ? jobPath(job.id) : '/'];
}

export function unitProperties(unit: HollowUnit, fileState: string): Properties {
  return {
    Id: text(unit.name),
    Names: names([unit.name]),
    Description: text(unit.def.description),
    LoadState: text(unit.load),
    ActiveState: text(unit.active),
    SubState: text(unit.sub),
    FragmentPath: text(unit.path),
    UnitFileState: text(fileState),
    InvocationID: new Variant('ay', Buffer.from(unit.invocation, 'hex')),
    Job: new Variant('(uo)', unit.job ? [unit.job.id, jobPath(unit.job.id)] : [0, '/']),
    NeedDaemonReload: flag(false),
    StateChangeTimestamp: time(unit.since),
    ActiveEnterTimestamp: time(unit.since),
    InactiveEnterTimestamp: time(unit.since),
    ActiveExitTimestampMonotonic: time(unit.activeExit),
    InactiveEnterTimestampMonotonic: time(unit.inactiveEnter),
    ConditionResult: flag(unit.conditionAt > 0 && unit.conditions.every(({ isMet }) => isMet)),
    ConditionTimestampMonotonic: time(unit.conditionAt),
    Conditions: new Variant(
      'a(sbbsi)',
      unit.conditions.map(({ path, negate, isMet }) => [
        'ConditionPathExists',
        false,
        negate,
        path,
        isMet ? 1 : -1,
      ]),
    ),
    Requires: names(unit.def.requires),
    Wants: names(unit.def.wants),
    BindsTo: names(unit.def.bindsTo),
    PartOf: names(unit.def.partOf),
    CanStart: flag(true),
    CanStop: flag(true),
  };
}

/** The interface of the unit's own type: `org.freedesktop.systemd1.Service` for a service. */
export function typeInterface(unit: string): string {
  const type = unit.slice(unit.lastIndexOf('.') + 1);
  return `org.freedesktop.systemd1.${type.charAt(0).toUpperCase()}${type.slice(1)}`;
}

/** What the interface of the unit's own type has: Result for all, the rest for services. */
export function typeProperties(unit: HollowUnit): Properties {
  return {
    Result: text(unit.result),
    Type: text(unit.def.type),
    Restart: text(unit.def.restart),
    NRestarts: number(unit.restarts),
    MainPID: number(unit.mainPid),
    ExecMainPID: number(unit.mainPid),
    ExecMainCode: signed(unit.mainCode),
    ExecMainStatus: signed(unit.mainStatus),
    RemainAfterExit: flag(unit.def.remainAfterExit),
    ExecStartPre: new Variant(
      'a(sasbttttuii)',
      unit.preStatus ? [['/bin/sh', [], false, 0, 0, 0, 0, 0, 1, unit.preStatus]] : [],
    ),
    StatusText: text(''),
    StatusErrno: signed(0),
  };
}

export function managerProperties(systemd: HollowSystemd): Properties {
  const units = systemd.loaded();
  const failed = units.filter((unit) => unit.active === 'failed').length;
  return {
    Version: text(HOLLOW_VERSION),
    Features: text('HOLLOW'),
    Virtualization: text('hollow'),
    Architecture: text('x86-64'),
    SystemState: text(failed > 0 ? 'degraded' : 'running'),
    NNames: number(units.length),
    NFailedUnits: number(failed),
    NJobs: number(systemd.jobs.size),
    UnitPath: names(['/etc/systemd/system', '/run/systemd/system', '/lib/systemd/system']),
  };
}
