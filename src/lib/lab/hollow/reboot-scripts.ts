import {
  REBOOT_NEEDED_SCRIPT,
  REBOOT_SCRIPT,
  UNDO_SCRIPT,
  UNDO_STOP_SCRIPT,
  UPDATE_DIR,
  UPDATE_RESULT_SCRIPT,
  UPDATE_START_SCRIPT,
} from '../../machine/index.ts';
import type { HollowCall } from './call.ts';

/** The simulated package manager: `NAME VERSION` lines of what is installed, and of what `update` brings. */
export const HOLLOW_PACKAGES = {
  installed: '/var/lib/hollow/installed',
  newer: '/var/lib/hollow/newer',
} as const;

/** Does what our scripts for reboots, updates and undoing would do; undefined for anything else. */
export async function runRebootScript(
  call: HollowCall,
  text: string,
  args: readonly string[],
): Promise<number | null | undefined> {
  const { machine, out } = call;
  const { tree } = machine;
  const [first = '', second = ''] = args;
  switch (text) {
    case REBOOT_SCRIPT:
      if (first !== machine.bootId) {
        out('other\n');
        return 0;
      }
      machine.reboot();
      return null;
    case REBOOT_NEEDED_SCRIPT:
      if (tree.stat('/run/reboot-required')) out('/run/reboot-required is there\n');
      return 0;
    case UPDATE_START_SCRIPT:
      await call.stdin();
      if (!tree.stat(`${UPDATE_DIR}/${first}`)) simulateUpdate(call, first);
      return 0;
    case UPDATE_RESULT_SCRIPT:
      out(tree.text(`${UPDATE_DIR}/${first}`) ?? 'lost\n');
      return 0;
    case UNDO_SCRIPT:
      machine.arm(first, Number(second) * 1000, (await call.stdin()).toString('utf8'));
      return 0;
    case UNDO_STOP_SCRIPT:
      out(machine.disarm(first) ? 'disarmed\n' : 'late\n');
      return 0;
    default:
      return undefined;
  }
}

/** Without a list of newer packages the package manager fails. */
function simulateUpdate({ machine: { tree } }: HollowCall, ticket: string): void {
  const linesOf = (path: string): string[] =>
    (tree.text(path) ?? '').split('\n').filter((line) => line !== '');
  const before = linesOf(HOLLOW_PACKAGES.installed);
  const newer = linesOf(HOLLOW_PACKAGES.newer);
  const after = new Map([...before, ...newer].map((line) => [line.split(' ')[0], line]));
  const code = tree.stat(HOLLOW_PACKAGES.newer) ? 0 : 100;
  const now = code === 0 ? [...after.values()] : before;
  tree.write(HOLLOW_PACKAGES.installed, Buffer.from(now.join('\n')));
  const lists = [...before.map((line) => `before ${line}\n`), ...now.map((line) => `after ${line}\n`)];
  tree.write(`${UPDATE_DIR}/${ticket}`, Buffer.from(`code ${code}\n${lists.join('')}`));
}
