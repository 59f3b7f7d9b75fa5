import type { HollowMachine } from './machine.ts';
import { jobPath, unitPath, unitRow } from './properties.ts';
import { BusError, type HollowUnit, type JobType } from './unit-state.ts';
import type { BusValue } from './wire.ts';
import { globMatches } from './words.ts';

/** Signature and body of a method's answer. */
export type Reply = readonly [signature: string, body: readonly BusValue[]];

const ROWS = 'a(ssssssouso)';
const NOTHING: Reply = ['', []];
const JOBS: Readonly<Record<string, JobType>> = {
  StartUnit: 'start',
  StopUnit: 'stop',
  RestartUnit: 'restart',
  ReloadOrRestartUnit: 'restart',
};

/** Carries out a method of org.freedesktop.systemd1.Manager; a BusError is the error reply. */
export function callManager(machine: HollowMachine, member: string, body: readonly BusValue[]): Reply {
  const { systemd } = machine;
  const first = body[0];
  const type = JOBS[member];
  if (type) return ['o', [jobPath(systemd.enqueue(type, unitName(first)).id)]];
  switch (member) {
    case 'ListUnits':
      return [ROWS, [systemd.loaded().map(unitRow)]];
    case 'ListUnitsByNames':
      return [ROWS, [strings(first).map((name) => unitRow(systemd.load(unitName(name))))]];
    case 'ListUnitsFiltered':
      return [ROWS, [matching(systemd.loaded(), strings(first), []).map(unitRow)]];
    case 'ListUnitsByPatterns':
      return [ROWS, [matching(systemd.loaded(), strings(first), strings(body[1])).map(unitRow)]];
    case 'ListJobs': {
      const rows = [...systemd.jobs.values()].map((j) => [
        j.id,
        j.unit,
        j.type,
        'running',
        jobPath(j.id),
        unitPath(j.unit),
      ]);
      return ['a(usssoo)', [rows]];
    }
    case 'Reload':
      systemd.reload();
      return NOTHING;
    case 'GetUnit': {
      const name = unitName(first);
      if (!systemd.peek(name))
        throw new BusError('org.freedesktop.systemd1.NoSuchUnit', `Unit ${name} not loaded.`);
      return ['o', [unitPath(name)]];
    }
    case 'LoadUnit':
      systemd.load(unitName(first));
      return ['o', [unitPath(unitName(first))]];
    case 'ResetFailedUnit':
      systemd.resetFailed(unitName(first));
      return NOTHING;
    case 'ResetFailed':
      for (const unit of systemd.loaded()) systemd.resetFailed(unit.name);
      return NOTHING;
    case 'KillUnit':
      if (!systemd.kill(unitName(first), signalName(Number(body[2] ?? 9)))) {
        throw new BusError('org.freedesktop.systemd1.NoSuchUnit', `Unit ${unitName(first)} not loaded.`);
      }
      return NOTHING;
    case 'EnableUnitFiles':
    case 'DisableUnitFiles':
      return enableUnits(machine, strings(first), member === 'EnableUnitFiles');
    case 'GetUnitFileState':
      return ['s', [fileState(machine, unitName(first))]];
    default:
      throw new BusError(
        'org.freedesktop.DBus.Error.UnknownMethod',
        `hollow machine: not simulated: Manager.${member}`,
      );
  }
}

function enableUnits(machine: HollowMachine, names: readonly string[], on: boolean): Reply {
  const carriers = names.map((name) => {
    const changes = machine.setEnabled(name, on);
    if (changes === null && on) {
      throw new BusError('org.freedesktop.systemd1.NoSuchUnit', `Unit file ${name} does not exist.`);
    }
    return changes ?? [];
  });
  const rows = carriers.flat().map((change) => [change.type, change.path, change.target]);
  return on ? ['ba(sss)', [rows.length > 0, rows]] : ['a(sss)', [rows]];
}

function fileState(machine: HollowMachine, name: string): string {
  const state = machine.fileState(name);
  if (state === '')
    throw new BusError('org.freedesktop.DBus.Error.FileNotFound', 'No such file or directory');
  return state;
}

function matching(
  units: readonly HollowUnit[],
  states: readonly string[],
  patterns: readonly string[],
): HollowUnit[] {
  return units.filter((unit) => {
    const inState =
      states.length === 0 || [unit.load, unit.active, unit.sub].some((state) => states.includes(state));
    return inState && (patterns.length === 0 || patterns.some((pattern) => globMatches(pattern, unit.name)));
  });
}

function unitName(value: BusValue | undefined): string {
  const name = String(value ?? '');
  const good =
    /^[\w:.\\-]+(@[\w:.\\-]*)?\.(service|socket|target|timer|path|mount|automount|device|swap|slice|scope)$/;
  if (good.test(name) && name.length < 256) return name;
  throw new BusError('org.freedesktop.DBus.Error.InvalidArgs', `Unit name ${name} is not valid.`);
}

function strings(value: BusValue | undefined): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function signalName(number: number): string {
  return number === 15 ? 'SIGTERM' : number === 2 ? 'SIGINT' : number === 1 ? 'SIGHUP' : 'SIGKILL';
}
