import { MARK, unframe } from '../../machine/index.ts';
import type { HollowCall } from './call.ts';
import { runJournalctl } from './journalctl.ts';
import { runScript } from './scripts.ts';
import { runSystemctl } from './systemctl.ts';
import { splitWords } from './words.ts';

/** Runs a shell command line as far as it is simulated. @returns the exit code; null when the channel stays open. */
export async function runCommand(line: string, call: Omit<HollowCall, 'argv'>): Promise<number | null> {
  const inner = unframe(line);
  if (inner !== null) {
    call.out(`${MARK}\n`);
    call.err(`${MARK}\n`);
    return runCommand(inner, call);
  }
  const argv = splitWords(line);
  if (!argv) {
    call.err('sh: Syntax error: Unterminated quoted string\n');
    return 2;
  }
  return runArgv({ ...call, argv });
}

async function runArgv(call: HollowCall): Promise<number | null> {
  const { argv, machine } = call;
  const [program = 'true', ...rest] = argv;
  const script = await runScript(call);
  if (script !== undefined) return script;
  switch (program.split('/').at(-1)) {
    case 'sudo':
      return runSudo(call);
    case 'systemctl':
      return runSystemctl(call);
    case 'journalctl':
      return runJournalctl(call);
    case 'systemd-stdio-bridge':
      call.bridge();
      return null;
    case 'exec':
    case 'env':
      return runArgv({ ...call, argv: rest });
    case 'echo':
      call.out(`${rest.join(' ')}\n`);
      return 0;
    case 'cat':
      return runCat(call, rest);
    case 'hostname':
      call.out(`${machine.hostname}\n`);
      return 0;
    case 'whoami':
      call.out(call.root ? 'root\n' : 'hollow\n');
      return 0;
    case 'id':
      call.out(call.root ? '0\n' : '1000\n');
      return 0;
    case 'uname':
      call.out(
        rest.includes('-m') ? 'x86_64\n' : rest.includes('-r') ? `${machine.facts().kernel}\n` : 'Linux\n',
      );
      return 0;
    case 'sh':
    case 'bash':
      return rest[0] === '-c' && rest[1] ? runCommand(rest[1], call) : 0;
    case 'exit':
      return Number(rest[0] ?? 0) & 255;
    case 'true':
    case ':':
      return 0;
    case 'false':
      return 1;
    case 'reboot':
      machine.reboot();
      return null;
    case 'systemd-analyze':
      return 0;
    default:
      call.err(`hollow machine: not simulated: ${argv.join(' ')}\n`);
      return 127;
  }
}

async function runSudo(call: HollowCall): Promise<number | null> {
  if (call.machine.faults.sudoRefused && !call.root) {
    call.err('sudo: a password is required\n');
    return 1;
  }
  const command = call.argv.slice(1);
  while (command[0]?.startsWith('-')) command.shift();
  return command.length === 0 ? 0 : runArgv({ ...call, argv: command, root: true });
}

async function runCat(call: HollowCall, paths: readonly string[]): Promise<number> {
  if (paths.length === 0) {
    call.out(await call.stdin());
    return 0;
  }
  let code = 0;
  for (const path of paths.filter((p) => p !== '--')) {
    const data = call.machine.tree.read(path);
    if (data) call.out(data);
    else {
      call.err(`cat: ${path}: No such file or directory\n`);
      code = 1;
    }
  }
  return code;
}
