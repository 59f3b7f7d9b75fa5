import type { Serving } from '../serving.ts';
import { commandLines, followingCommands } from './runtime.ts';
import { ask } from './socket.ts';
import type { WorkerNames } from './worker-names.ts';

const ANSWER_MS = 500;

/** A worker that a reload replaced: it lives as long as its connections. */
interface OlderWorker {
  readonly pid: number;
  serving: Serving;
  readonly names: WorkerNames;
}

/** Workers of earlier configurations. They get changes too, as far as they can take them, until they end. */
export class OlderWorkers {
  readonly #masterSocket: string;
  #workers: OlderWorker[] = [];

  constructor(masterSocket: string) {
    this.#masterSocket = masterSocket;
  }

  add(pid: number, serving: Serving, names: WorkerNames): void {
    this.#workers.push({ pid, serving, names });
  }

  clear(): void {
    this.#workers = [];
  }

  async follow(target: Serving): Promise<void> {
    await Promise.all(
      this.#workers.map(async (worker) => {
        const commands = followingCommands(worker.serving, target, worker.names);
        const lines = commands.flatMap(commandLines).map((line) => `@!${worker.pid} ${line}`);
        try {
          if (lines.length > 0) await ask(this.#masterSocket, lines, ANSWER_MS);
          worker.names.note(commands);
          worker.serving = target;
        } catch {
          this.#workers = this.#workers.filter((other) => other !== worker);
        }
      }),
    );
  }
}
