import type { PoolServer } from '../serving.ts';
import { type LiveNames, type RuntimeCommand, serverKey } from './runtime.ts';

/** What one worker calls its servers, and which of them are being removed. */
export class WorkerNames implements LiveNames {
  readonly aliases: Map<string, string>;
  readonly leaving: Set<string>;
  readonly kept = new Map<string, PoolServer>();

  constructor(aliases: ReadonlyMap<string, string> = new Map(), leaving: ReadonlySet<string> = new Set()) {
    this.aliases = new Map(aliases);
    this.leaving = new Set(leaving);
  }

  /** Records commands that the worker has carried out. */
  note(commands: readonly RuntimeCommand[]): void {
    for (const command of commands) {
      if (command.kind === 'server-leave') {
        if (command.kept === null) this.leaving.add(serverKey(command.pool, command.as));
        else this.kept.set(serverKey(command.pool, command.as), command.kept);
      }
      if (command.kind === 'server-return') this.kept.delete(serverKey(command.pool, command.as));
      if (command.kind !== 'server-add') continue;
      const key = serverKey(command.pool, command.name);
      if (command.as === command.name) this.aliases.delete(key);
      else this.aliases.set(key, command.as);
    }
  }
}
