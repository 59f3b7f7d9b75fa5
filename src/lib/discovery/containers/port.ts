import type { Container } from '../offers/model.ts';

/** Something that happened to a container; `action` and `signal` are Docker's words. */
export interface ContainerEvent {
  /** `start`, `die`, `kill`, `pause`, `unpause`, `rename`, `health_status`, `destroy`, ... */
  readonly action: string;
  readonly id: string;
  /** Of `kill`: a number or a name. */
  readonly signal: string | null;
  /** Of `die`. */
  readonly exitCode: number | null;
}

/** What the registrator needs of a container runtime, such as Docker. Every call may fail; none waits for ever. */
export interface ContainerRuntime {
  /** Ids of the containers that run. */
  list(): Promise<readonly string[]>;
  /** null = there is no such container any more. */
  inspect(id: string): Promise<Container | null>;
  /** Calls `listening` once no event is missed any more, then yields events until the runtime or `signal` ends it. */
  events(signal: AbortSignal, listening: () => void): AsyncIterable<ContainerEvent>;
  /** Exit code of a command in a container; null = it did not end in time. */
  exec(
    id: string,
    command: readonly string[],
    env: readonly string[],
    timeoutMs: number,
  ): Promise<number | null>;
}
