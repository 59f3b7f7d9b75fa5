/**
 * Connections that outlive a command: a holder process that answers the calls of the Machine port. It must not add
 * calls that the port lacks.
 */
import { spawn } from 'node:child_process';
import { lstat, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makePrivate } from '../../private-directory.ts';
import type { Machine, MachineTarget, SshOptions } from '../port.ts';
import { HolderClient } from './client.ts';
import { awayMark, type HolderFiles, holderFiles, holderSockets, isPrivate, noteUse } from './directory.ts';
import type { HolderOptions } from './holder.ts';
import { HeldMachine } from './machine.ts';
import type { HeldConnection } from './wire.ts';

export type { HolderOptions } from './holder.ts';
export type { HeldConnection } from './wire.ts';

/** How long it is remembered that a machine was away: then it is waited for again, as long as the settings say. */
const AWAY_FOR_MS = 60_000;

/** How connections outlive a command. */
export interface HoldOptions {
  /** Created where it does not exist; refused where it belongs to somebody else. */
  readonly directory: string;
  /** How long an unused connection is held, in milliseconds. */
  readonly idleMs: number;
  /** What follows node on the command line of a holder, which calls `runHolder` with the JSON on its stdin. */
  readonly argv: readonly string[];
  readonly version: string;
  readonly ssh: SshOptions;
  readonly starts: number;
}

/**
 * Connections that outlive a command, as with ssh's ControlPersist. The second command within `idleMs` that makes
 * connections leaves a process behind, which makes them again and holds them for the commands that follow.
 */
export class HeldConnections {
  readonly #options: HoldOptions;
  readonly #files: HolderFiles | null;
  #client: Promise<HolderClient | null> | undefined;

  constructor(options: HoldOptions) {
    this.#options = options;
    this.#files = holderFiles(options.directory, options.ssh, options.version);
  }

  /** The machine over a held connection, or null where none is held that still answers. */
  async use(target: MachineTarget, connect: () => Promise<Machine>): Promise<Machine | null> {
    this.#client ??= this.#connect();
    const client = await this.#client;
    const isHeld = await client?.ask({ ask: 'use', target }).catch(() => this.#giveUp(client));
    return client && isHeld === true ? new HeldMachine(target, client, connect) : null;
  }

  /** Closes the connections to machines that are no longer used. */
  async drop(targets: readonly MachineTarget[]): Promise<void> {
    this.#client ??= this.#connect();
    await (await this.#client)?.ask({ ask: 'drop', targets }).catch(() => undefined);
  }

  /** Whether the machine gave no answer to a command within the last `AWAY_FOR_MS`. */
  async wasAway(target: MachineTarget): Promise<boolean> {
    if (!(await isPrivate(this.#options.directory))) return false;
    const mark = await lstat(awayMark(this.#options.directory, target)).catch(() => null);
    return mark !== null && Date.now() - mark.mtimeMs < AWAY_FOR_MS;
  }

  /** Remembers that the machine gave no answer. */
  async noteAway(target: MachineTarget): Promise<void> {
    const { directory } = this.#options;
    try {
      await makePrivate(directory);
      await writeFile(awayMark(directory, target), '', { mode: 0o600 });
    } catch {
      // The next command waits as long as this one did, nothing else.
    }
  }

  async noteBack(target: MachineTarget): Promise<void> {
    await rm(awayMark(this.#options.directory, target), { force: true }).catch(() => undefined);
  }

  /**
   * Ends the conversation with the holder; `connected` machines, reached without it, are held from now on, and `hurried`
   * ones, which were not waited for, as soon as they answer.
   */
  async leave(connected: readonly MachineTarget[], hurried: readonly MachineTarget[]): Promise<void> {
    const client = await this.#client;
    try {
      const targets = [...connected, ...hurried];
      if (targets.length === 0 || this.#files === null) return;
      if (client) await client.ask({ ask: 'hold', targets });
      else if (await this.#isBusy(this.#files)) await this.#start(this.#files, targets);
    } catch {
      // Without a holder the next command is slower, nothing else.
    } finally {
      client?.close();
    }
  }

  /** A holder that does not answer one question will not answer the next. */
  #giveUp(client: HolderClient): void {
    client.close();
    this.#client = Promise.resolve(null);
  }

  async #connect(): Promise<HolderClient | null> {
    if (this.#files === null || !(await isPrivate(dirname(this.#files.socket)))) return null;
    return await HolderClient.connect(this.#files.socket);
  }

  async #isBusy({ marker }: HolderFiles): Promise<boolean> {
    const { directory, idleMs } = this.#options;
    await makePrivate(directory);
    return (await isPrivate(directory)) && (await noteUse(marker, idleMs));
  }

  async #start({ socket }: HolderFiles, targets: readonly MachineTarget[]): Promise<void> {
    const { argv, ssh, starts, idleMs } = this.#options;
    // JSON leaves out functions such as `askPassphrase`: a holder has no terminal.
    const told: HolderOptions = { socket, ssh, starts, idleMs, targets };
    const child = spawn(process.execPath, [...argv], {
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.stdin.once('error', reject);
      child.stdin.end(JSON.stringify(told), resolve);
    });
    child.unref();
  }
}

/** The connections that holders in this directory have, whatever options they were made with. */
export async function listHeld(directory: string): Promise<HeldConnection[]> {
  return (await askAll(directory, 'list')).flat() as HeldConnection[];
}

/** Ends all holders of this directory; returns how many connections they had. */
export async function closeHeld(directory: string): Promise<number> {
  const counts = (await askAll(directory, 'end')) as number[];
  return counts.reduce((sum, count) => sum + count, 0);
}

async function askAll(directory: string, ask: 'list' | 'end'): Promise<unknown[]> {
  const answers: unknown[] = [];
  for (const socket of await holderSockets(directory)) {
    const client = await HolderClient.connect(socket);
    const answer = await client?.ask({ ask }).catch(() => undefined);
    if (answer !== undefined) answers.push(answer);
    client?.close();
  }
  return answers;
}
