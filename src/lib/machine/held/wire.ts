import type { Socket } from 'node:net';
import { ClusterError, type ErrorPlace } from '../../error.ts';
import type { Machine, MachineTarget } from '../port.ts';

/** The calls of a machine that a holder makes for others: data in, data out. */
export const CALLS = [
  ...(['facts', 'details', 'statuses', 'ages', 'manifest', 'apply', 'settle', 'reload'] as const),
  ...(['start', 'stop', 'restart', 'forget', 'enable', 'exec'] as const),
  ...(['status', 'journal', 'journalText', 'analyze'] as const),
] as const;
export type Call = (typeof CALLS)[number];
export type CallArgs<Name extends Call> = Parameters<Machine[Name]>;
export type CallResult<Name extends Call> = Awaited<ReturnType<Machine[Name]>>;

/** A connection that is held. Times in milliseconds. */
export interface HeldConnection {
  readonly target: MachineTarget;
  readonly heldMs: number;
  readonly unusedMs: number;
}

/**
 * `use` asks whether a machine is held and still answers; `hold` and `drop` name the machines to have connections to;
 * `watch` opens a watch and is answered with its number, `next` with the next changes (null: it has ended).
 */
export type Question =
  | { readonly ask: 'use'; readonly target: MachineTarget }
  | {
      readonly ask: 'call';
      readonly target: MachineTarget;
      readonly call: Call;
      readonly args: readonly unknown[];
      /** Of jobs: tell each outcome as a part when it is there. */
      readonly parts?: boolean;
    }
  | { readonly ask: 'watch'; readonly target: MachineTarget; readonly units?: readonly string[] }
  | { readonly ask: 'next' | 'unwatch'; readonly watch: number }
  | { readonly ask: 'hold' | 'drop'; readonly targets: readonly MachineTarget[] }
  | { readonly ask: 'list' }
  | { readonly ask: 'end' };

export type Request = Question & { readonly id: number };
/** A `part` comes any number of times before the answer itself. */
export type Answer =
  | { readonly id: number; readonly part: unknown }
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: ErrorData };

interface ErrorData extends ErrorPlace {
  readonly code: string | null;
  readonly message: string;
  readonly hint?: string;
  readonly exit?: number;
}

/** Messages are one line of JSON each, which has no line ends of its own. */
export function send(socket: Socket, message: Request | Answer): void {
  socket.write(`${JSON.stringify(message)}\n`);
}

export function receive<Message extends Request | Answer>(
  socket: Socket,
  onMessage: (message: Message) => void,
): void {
  const waiting: string[] = [];
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    const [first = '', ...rest] = chunk.split('\n');
    waiting.push(first);
    for (const next of rest) {
      onMessage(JSON.parse(waiting.splice(0).join('')) as Message);
      waiting.push(next);
    }
  });
}

export function errorToData(error: unknown): ErrorData {
  if (!(error instanceof ClusterError)) return { code: null, message: String(error) };
  const { code, message, hint, exit, place } = error;
  return { ...place, code, message, exit, ...(hint !== undefined && { hint }) };
}

export function errorFromData({ code, message, ...more }: ErrorData): Error {
  return code === null ? new Error(message) : new ClusterError(code, message, more);
}

/** What makes two targets the same connection. */
export function targetKey({ user, address, port, identity, knownHosts }: MachineTarget): string {
  return JSON.stringify([user, address, port, identity, knownHosts]);
}
