import type { HollowCall } from './call.ts';
import { BusError, type HollowUnit, type JobType } from './unit-state.ts';

/** The few verbs of `systemctl` that are simulated: status, is-..., enable and disable, and those that make jobs. */
export async function runSystemctl(call: HollowCall): Promise<number | null> {
  const words = call.argv.slice(1).filter((word) => !word.startsWith('-'));
  const [verb = 'list-units', ...names] = words;
  const { machine } = call;
  if (call.argv.includes('--version')) {
    call.out(`systemd ${machine.facts().systemd}\n`);
    return 0;
  }
  switch (verb) {
    case 'status':
      return status(call, names);
    case 'is-active':
    case 'is-failed': {
      const states = names.map((name) => machine.systemd.load(name).active);
      call.out(`${states.join('\n')}\n`);
      return states.includes(verb === 'is-active' ? 'active' : 'failed') ? 0 : 3;
    }
    case 'is-system-running':
      call.out('running\n');
      return 0;
    case 'is-enabled':
      call.out(`${names.map((name) => machine.fileState(name)).join('\n')}\n`);
      return names.every((name) => machine.fileState(name) === 'enabled') ? 0 : 1;
    case 'daemon-reload':
      machine.systemd.reload();
      return 0;
    case 'enable':
    case 'disable':
      for (const name of names) machine.setEnabled(name, verb === 'enable');
      if (call.argv.includes('--now')) return jobs(call, verb === 'enable' ? 'start' : 'stop', names);
      return 0;
    case 'start':
    case 'stop':
    case 'restart':
      return jobs(call, verb, names);
    case 'kill':
      for (const name of names) machine.systemd.kill(name, killSignal(call.argv));
      return 0;
    case 'reset-failed':
      for (const name of names) if (machine.systemd.peek(name)) machine.systemd.resetFailed(name);
      return 0;
    case 'cat':
      for (const name of names)
        call.out(`# ${machine.readUnit(name)?.path ?? name}\n${machine.readUnit(name)?.text ?? ''}\n`);
      return names.every((name) => machine.readUnit(name)) ? 0 : 1;
    case 'reboot':
      machine.reboot();
      return null;
    default:
      call.err(`hollow machine: not simulated: ${call.argv.join(' ')}\n`);
      return 127;
  }
}

async function jobs(call: HollowCall, type: JobType, names: readonly string[]): Promise<number> {
  let code = 0;
  for (const name of names) {
    try {
      const result = await call.machine.systemd.enqueue(type, name).done;
      if (result === 'done') continue;
      call.err(
        `Job for ${name} failed.\nSee "systemctl status ${name}" and "journalctl -xeu ${name}" for details.\n`,
      );
      code = 1;
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
      call.err(`Failed to ${type} ${name}: ${error.message}\n`);
      code = 5;
    }
  }
  return code;
}

function status(call: HollowCall, names: readonly string[]): number {
  const { machine } = call;
  let code = 0;
  let shown = 0;
  for (const name of names) {
    const unit = machine.systemd.load(name);
    if (unit.load === 'not-found') {
      call.err(`Unit ${name} could not be found.\n`);
      code = 4;
      continue;
    }
    if (unit.active !== 'active') code ||= 3;
    if (shown++ > 0) call.out('\n');
    call.out(statusText(unit, machine.fileState(name)));
    const lines = machine.journal.lines
      .filter((line) => line.unit === name && line.invocation === unit.invocation)
      .slice(-10);
    for (const line of lines)
      call.out(
        `${shortTime(line.micros)} ${machine.hostname} ${line.identifier}[${line.pid}]: ${line.message}\n`,
      );
  }
  return code;
}

function statusText(unit: HollowUnit, fileState: string): string {
  const mark = unit.active === 'failed' ? '×' : unit.active === 'active' ? '●' : '○';
  const why = unit.active === 'failed' ? ` (Result: ${unit.result})` : ` (${unit.sub})`;
  const since = unit.since ? ` since ${new Date(unit.since / 1000).toUTCString()}` : '';
  const pid = unit.mainPid ? `   Main PID: ${unit.mainPid} (hollow)\n` : '';
  return `${mark} ${unit.name} - ${unit.def.description}\n     Loaded: ${unit.load} (${unit.path}; ${fileState}; preset: enabled)\n     Active: ${unit.active}${why}${since}\n${pid}\n`;
}

function killSignal(argv: readonly string[]): string {
  const at = argv.findIndex(
    (word) => word === '-s' || word.startsWith('--signal') || word.startsWith('--kill-whom'),
  );
  const named =
    argv.find((word) => /^(--signal=|-s)?(SIG)?(KILL|TERM|INT|HUP|ABRT|SEGV|9|15)$/.test(word)) ??
    argv[at + 1] ??
    '';
  if (/KILL|9/.test(named)) return 'SIGKILL';
  const name = /(INT|HUP|ABRT|SEGV)/.exec(named)?.[1];
  return `SIG${name ?? 'TERM'}`;
}

/** `Nov 23 11:29:20`, as the journal's short format has it. */
export function shortTime(micros: number): string {
  const at = new Date(micros / 1000);
  const month = at.toLocaleString('en-US', { month: 'short', timeZone: 'UTC' });
  return `${month} ${String(at.getUTCDate()).padStart(2, '0')} ${at.toISOString().slice(11, 19)}`;
}
