import { connect, type Socket } from 'node:net';
import { within } from '../../within.ts';
import { type Answer, errorFromData, type Question, receive, send } from './wire.ts';

/** A holder that takes longer than this to answer a simple question counts as gone. */
const ANSWER_MS = 2500;
const LATE = Symbol('late');

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onPart?: ((part: unknown) => void) | undefined;
}

/** The holder is gone, or too slow. */
export class HolderLost extends Error {}

/** A conversation with a holder. */
export class HolderClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;

  private constructor(socket: Socket) {
    this.#socket = socket;
    receive<Answer>(socket, (answer) => {
      const waiting = this.#waiting.get(answer.id);
      if ('part' in answer) return waiting?.onPart?.(answer.part);
      this.#waiting.delete(answer.id);
      if ('error' in answer) waiting?.reject(errorFromData(answer.error));
      else waiting?.resolve(answer.value);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new HolderLost('the holder is gone'));
      this.#waiting.clear();
    });
  }

  /** null where nobody listens there. */
  static connect(path: string): Promise<HolderClient | null> {
    return new Promise((resolve) => {
      const socket = connect(path);
      socket.once('connect', () => {
        socket.removeAllListeners('error');
        resolve(new HolderClient(socket));
      });
      socket.once('error', () => resolve(null));
    });
  }

  /** A machine may take any time for a call or its next changes; other questions are answered soon or not at all. */
  async ask(question: Question, onPart?: (part: unknown) => void): Promise<unknown> {
    if (question.ask === 'call' || question.ask === 'next') return await this.#asked(question, onPart);
    const answer = await within(ANSWER_MS, this.#asked(question), LATE);
    if (answer === LATE) throw new HolderLost('no answer in time');
    return answer;
  }

  #asked(question: Question, onPart?: (part: unknown) => void): Promise<unknown> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(new HolderLost('the holder is gone'));
      this.#waiting.set(id, { resolve, reject, onPart });
      send(this.#socket, { ...question, id });
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}
