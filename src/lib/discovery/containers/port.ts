import type { Container } from '../offers/model.ts';

/** Something that happened to a container, in Docker's words. */
export interface EngineEvent {
  /** `start`, `die`, `kill`, `pause`, `unpause`, `rename`, `health_status`, `destroy`, ... */
  readonly action: string;
  readonly id: string;
  /** Of `kill`: a number or a name. */
  readonly signal: string | null;
  /** Of `die`. */
  readonly exitCode: number | null;
}

/** What the registrator needs of Docker. Everything may fail, at any time; nothing waits for ever. */
export interface Engine {
  /** Ids of the containers that run. */
  list(): Promise<readonly string[]>;
  /** null = there is no such container any more. */
  inspect(id: string): Promise<Container | null>;
  /** Calls back once events are being heard, then yields them; ends when Docker ends the stream or `signal` aborts. */
  events(signal: AbortSignal, listening: () => void): AsyncIterable<EngineEvent>;
  /** Exit code of a command in a container; null = it did not end in time. */
  exec(
    id: string,
    command: readonly string[],
    env: readonly string[],
    timeoutMs: number,
  ): Promise<number | null>;
}
