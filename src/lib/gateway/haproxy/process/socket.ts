import { connect } from 'node:net';

/** The worker's prompt, and the master's, which may include the result of the last reload. */
const PROMPT = /(?:^|\n)(?:master(?:\[\w+\])?)?> /g;
const PROMPT_LENGTH = 40;
const TIMEOUT_MS = 5000;

/**
 * Sends commands on one connection to a command socket of HAProxy. @returns their answers, in order.
 * @throws the socket's error, or one for a connection that HAProxy closed or does not answer on.
 */
export function ask(path: string, commands: readonly string[], timeoutMs = TIMEOUT_MS): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const answers: string[] = [];
    // The first prompt is the answer to `prompt` itself.
    let wanted = commands.length + 1;
    let text = '';
    let scanned = 0;
    const end = (error?: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      if (error) reject(error);
      else resolve(answers.slice(1));
    };
    const timer = setTimeout(
      () => end(new Error(`HAProxy did not answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    socket.setEncoding('utf8');
    socket.on('connect', () => socket.write(`prompt\n${commands.map((line) => `${line}\n`).join('')}`));
    socket.on('data', (part: string) => {
      text += part;
      while (wanted > 0) {
        const found = findPrompt(text, scanned);
        if (found === null) break;
        answers.push(text.slice(0, found.from).trim());
        text = text.slice(found.to);
        scanned = 0;
        wanted--;
      }
      scanned = text.length;
      if (wanted === 0) end();
    });
    socket.on('error', end);
    socket.on('close', () => end(new Error('HAProxy closed the connection')));
  });
}

/** Long answers come in many pieces: what was searched before is not searched again. */
function findPrompt(text: string, scanned: number): { from: number; to: number } | null {
  PROMPT.lastIndex = Math.max(0, scanned - PROMPT_LENGTH);
  const found = PROMPT.exec(text);
  return found && { from: found.index, to: PROMPT.lastIndex };
}

export interface MasterState {
  readonly pid: number;
  readonly reloads: number;
  /** Reloads in a row that failed: the worker that runs is an older one. */
  readonly failed: number;
  /** `reloads` counts those since it was started: 0 = the last reload started it. */
  readonly worker: { readonly pid: number; readonly reloads: number } | null;
  /** Workers of earlier configurations that still have connections, the oldest first. */
  readonly old: readonly number[];
  readonly version: string;
}

/** Reads the master's answer to `show proc`; null for anything else. */
export function readProcesses(text: string): MasterState | null {
  let section = '';
  let master: Omit<MasterState, 'worker' | 'old'> | null = null;
  let worker: MasterState['worker'] = null;
  const old: { pid: number; reloads: number }[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) {
      section = line;
      continue;
    }
    const match = /^(\d+)\s+(\w+)\s+(\d+)\s*(?:\[failed: (\d+)\])?.*?(\S*)\s*$/.exec(line);
    if (match === null) continue;
    const [, pid, type, reloads, failed, version = ''] = match;
    if (type === 'master')
      master = { pid: Number(pid), reloads: Number(reloads), failed: Number(failed ?? 0), version };
    else if (type === 'worker' && section.startsWith('# workers'))
      worker = { pid: Number(pid), reloads: Number(reloads) };
    else if (type === 'worker') old.push({ pid: Number(pid), reloads: Number(reloads) });
  }
  old.sort((a, b) => b.reloads - a.reloads);
  return master && { ...master, worker, old: old.map(({ pid }) => pid) };
}
