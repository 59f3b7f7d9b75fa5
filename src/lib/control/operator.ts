import { hostname, userInfo } from 'node:os';

/** Who runs this command, for histories: user@computer. */
export function operator(): string {
  return `${userName()}@${hostname()}`;
}

/** In a container the user may have no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}

const SECRET_FLAG = /^(--(?:etcd-password|seal-key))(?:=.*)?$/s;
const LONGEST = 500;

/** A command line as it may be kept where others read it: without passwords, and not endlessly long. */
export function commandLine(program: string, args: readonly string[]): string {
  const words = args.map((arg, index) => {
    if (SECRET_FLAG.test(args[index - 1] ?? '') && !args[index - 1]?.includes('=')) return '***';
    const [, flag] = SECRET_FLAG.exec(arg) ?? [];
    if (flag !== undefined) return arg.includes('=') ? `${flag}=***` : flag;
    return arg.replace(/\/\/[^/@\s]+@/g, '//***@');
  });
  const line = [program, ...words.map(quoted)].join(' ');
  return line.length <= LONGEST ? line : `${line.slice(0, LONGEST - 3)}...`;
}

function quoted(word: string): string {
  return /^[\w@%+=:,./<>*-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
