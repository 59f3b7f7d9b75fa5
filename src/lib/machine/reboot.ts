import { commandFailed } from './errors.ts';
import type { ExecResult, Machine } from './port.ts';
import { rebootScript, UPDATE_SCRIPT } from './reboot-scripts.ts';

/** A package and the version that is installed; the name has the architecture with it. */
export type Packages = ReadonlyMap<string, string>;

/** How an update is going. `lost`: it ended without a result, as when somebody killed it. */
export type UpdateState =
  | { readonly state: 'running' | 'lost' }
  | { readonly state: 'ended'; readonly code: number; readonly before: Packages; readonly after: Packages };

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** Which boot of the machine this is. */
export async function readBootId(machine: Machine): Promise<string> {
  const { stdout } = done(machine, 'reading the boot id', await machine.exec(['cat', BOOT_ID]));
  return stdout.trim().replaceAll('-', '');
}

/** Why the machine needs a reboot, in words; none = it needs none that anybody knows of. */
export async function whyReboot(machine: Machine): Promise<readonly string[]> {
  const asked = await machine.exec(rebootScript('reboot-needed'), { sudo: true });
  const { stdout } = done(machine, 'asking whether a reboot is needed', asked);
  return stdout.split('\n').filter((line) => line !== '');
}

/** Reboots the machine if this is still that boot. The connection may end before the answer comes. */
export async function rebootFrom(machine: Machine, bootId: string): Promise<void> {
  const result = await machine.exec(rebootScript('reboot', bootId), { sudo: true });
  if (result.code === 0 || result.signal !== null) return;
  throw commandFailed(machine.target, 'rebooting', result.code, result.stderr);
}

/** Begins the update of this ticket, unless that was done before. @returns false while another update is under way. */
export async function beginUpdate(machine: Machine, ticket: string): Promise<boolean> {
  const options = { sudo: true, stdin: UPDATE_SCRIPT };
  const { stdout } = done(
    machine,
    'starting the update',
    await machine.exec(rebootScript('update-start', ticket), options),
  );
  return stdout.trim() !== 'busy';
}

export async function updateState(machine: Machine, ticket: string): Promise<UpdateState> {
  const asked = await machine.exec(rebootScript('update-result', ticket), { sudo: true });
  return parseUpdate(done(machine, 'asking for the update', asked).stdout);
}

/** Reads the answer of UPDATE_RESULT_SCRIPT. */
function parseUpdate(text: string): UpdateState {
  const [first = '', ...lines] = text.split('\n');
  const code = /^code (\d+)$/.exec(first)?.[1];
  if (code === undefined) return { state: first === 'running' ? 'running' : 'lost' };
  const list = (when: string): Packages =>
    new Map(
      lines.flatMap((line) => {
        const [word, name, version] = line.split(' ');
        return word === when && name !== undefined && version !== undefined ? [[name, version] as const] : [];
      }),
    );
  return { state: 'ended', code: Number(code), before: list('before'), after: list('after') };
}

/** After so many seconds the shell text runs as root, unless `disarmUndo` comes first. */
export async function armUndo(machine: Machine, name: string, seconds: number, text: string): Promise<void> {
  const argv = rebootScript('undo', name, String(seconds));
  done(machine, 'arming the undo', await machine.exec(argv, { sudo: true, stdin: text }));
}

/** @returns false when it was too late: the undo has run, or runs. */
export async function disarmUndo(machine: Machine, name: string): Promise<boolean> {
  const asked = await machine.exec(rebootScript('undo-stop', name), { sudo: true });
  return done(machine, 'disarming the undo', asked).stdout.trim() === 'disarmed';
}

function done(machine: Machine, what: string, result: ExecResult): ExecResult {
  if (result.code === 0) return result;
  throw commandFailed(machine.target, what, result.code, result.stderr);
}
