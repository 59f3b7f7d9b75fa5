import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError } from '../../../error.ts';
import type { Report } from '../../../keep/reporter.ts';
import type { Serving } from '../serving.ts';
import { checkAddresses } from './addresses.ts';
import { adoptable } from './adopt.ts';
import { type Draining, DrainingWorkers } from './draining.ts';
import { makeRunDirectory, type RunPaths, runPaths } from './files.ts';
import { Haproxy } from './haproxy.ts';
import { checkSockets, removeUnused } from './listener-sockets.ts';
import { OlderWorkers } from './older-workers.ts';
import { commandLines, isDone, type RuntimeCommand, runtimeDiff } from './runtime.ts';
import { ServingFiles } from './serving-files.ts';
import { ask, type MasterState } from './socket.ts';
import { WorkerNames } from './worker-names.ts';

export interface SupervisorOptions {
  readonly directory: string;
  readonly binary: string;
  readonly render: (serving: Serving) => string;
  readonly logger: Report;
  /** Most workers that only finish their connections. */
  readonly maxDraining: number;
  /** Directory of the listeners' Unix sockets. */
  readonly listenerDirectory: string;
}

/** What it took to bring HAProxy to a new state. */
export type Applied = 'nothing' | 'runtime' | 'reload' | 'start';

/** HAProxy's process as the status shows it. */
export interface ProcessStatus {
  readonly pid: number | null;
  readonly version: string | null;
  /** ISO 8601, since when this master process is known. */
  readonly since: string | null;
  readonly reloads: number;
  readonly runtimeChanges: number;
  readonly draining: readonly Draining[];
}

const SAVE_MS = 100;
/** Pauses between reloads: they grow while many follow each other, since each leaves a worker with its connections. */
const RELOAD_GAPS_MS = [200, 200, 200, 200, 500, 1000, 2000, 5000];
const CALM_MS = 30_000;
const LEAVE_MS = [100, 250, 500, 1000, 2000];
const DRAIN_MS = 2000;
const RESTART_MS = [0, 100, 250, 500, 1000, 2000, 5000];

/**
 * Keeps one HAProxy serving what `apply` was last given: by commands at run time where that is possible, else by a
 * reload. Starts it again when it dies, and takes over one that an earlier gateway process left running.
 */
export class Supervisor {
  readonly paths: RunPaths;
  readonly #options: SupervisorOptions;
  readonly #haproxy: Haproxy;
  readonly #files: ServingFiles;
  readonly #older: OlderWorkers;
  readonly #draining: DrainingWorkers;
  #names = new WorkerNames();
  #serving: Serving | null = null;
  #process: { pid: number; version: string; since: string } | null = null;
  #reloads = 0;
  #changes = 0;
  /** When the last reloads ended, by the monotonic clock. */
  #recent: number[] = [];
  #saveTimer: NodeJS.Timeout | undefined;
  #leaveTimer: NodeJS.Timeout | undefined;
  #drainTimer: NodeJS.Timeout | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.paths = runPaths(options.directory);
    this.#haproxy = new Haproxy(options.binary, this.paths);
    this.#files = new ServingFiles(this.paths, options.render);
    this.#older = new OlderWorkers(this.paths.master);
    this.#draining = new DrainingWorkers(options.maxDraining);
  }

  /**
   * Makes the run directory, which only its owner may enter.
   * @param gid group of the worker, where it has a user of its own. @throws ClusterError `bad-run-directory`.
   */
  async prepare(gid: number | null = null): Promise<void> {
    this.#files.gid = gid;
    await makeRunDirectory(this.paths, gid);
  }

  /** @throws ClusterError `haproxy-missing` where its program does not run. */
  probe(): Promise<void> {
    return this.#haproxy.probe();
  }

  status(): ProcessStatus {
    return {
      pid: this.#process?.pid ?? null,
      version: this.#process?.version ?? null,
      since: this.#process?.since ?? null,
      reloads: this.#reloads,
      runtimeChanges: this.#changes,
      draining: this.#draining.list(),
    };
  }

  /** Takes over a HAProxy that runs already. @returns whether there is one. */
  adopt(): Promise<boolean> {
    return this.#exclusive(async () => {
      const state = await this.#haproxy.state();
      if (state === null || !(await this.#haproxy.answers(state))) return false;
      const found = await adoptable(this.paths);
      this.#serving = found?.serving ?? null;
      this.#names = new WorkerNames(found?.aliases, found?.leaving);
      if (this.#names.leaving.size > 0) this.#removeSoon(0);
      this.#note(state);
      this.#watch(state.pid);
      const how = this.#serving === null ? '; what it serves is not known, so it will be reloaded' : '';
      this.#options.logger.info(`took over HAProxy, process ${state.pid}${how}`);
      return true;
    });
  }

  /**
   * Brings HAProxy to `target`; one at a time, in the order of the calls.
   * @throws ClusterError `haproxy-config`, `haproxy-reload`, `haproxy-start`: what was served before is still served.
   */
  apply(target: Serving): Promise<Applied> {
    return this.#exclusive(() => this.#apply(target));
  }

  /** Commands for the worker (statistics); not queued behind changes. */
  ask(commands: readonly string[]): Promise<string[]> {
    return ask(this.paths.admin, commands);
  }

  /** Whether HAProxy would accept it; changes nothing. @returns null, or why not. */
  check(target: Serving): Promise<string | null> {
    return this.#exclusive(async () => {
      clearTimeout(this.#saveTimer);
      try {
        await this.#files.rewrite(target);
        await this.#haproxy.check();
        return null;
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      } finally {
        if (this.#serving !== null) await this.#files.rewrite(this.#serving);
      }
    });
  }

  /** Stops watching HAProxy, which goes on. The files on disk say what it serves. */
  async leave(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#leaveTimer);
    clearTimeout(this.#drainTimer);
    clearTimeout(this.#saveTimer);
    await this.#exclusive(() => this.#files.save(this.#serving));
  }

  /** Ends HAProxy: it takes no new connections from now on, and ends with its last one. */
  async stop(): Promise<void> {
    await this.leave();
    await this.#haproxy.stop();
  }

  async #apply(target: Serving): Promise<Applied> {
    if (this.#process === null) {
      await this.#start(target, this.#serving);
      return 'start';
    }
    const from = this.#serving;
    const diff = from === null ? 'reload' : runtimeDiff(from, target, this.#names);
    if (diff !== 'reload') {
      if (diff.length === 0) {
        this.#serving = target;
        return 'nothing';
      }
      const refusal = await this.#command(diff);
      if (refusal === null) {
        this.#changes += diff.length;
        this.#serving = target;
        this.#saveSoon();
        await this.#older.follow(target);
        return 'runtime';
      }
      this.#options.logger.warning(`${refusal}; reloading HAProxy instead`);
    }
    await this.#reload(target, from);
    return 'reload';
  }

  /** @returns what went wrong, or null. */
  async #command(commands: readonly RuntimeCommand[]): Promise<string | null> {
    const lines = commands.flatMap((command) => commandLines(command));
    try {
      const answers = await this.ask(lines);
      const bad = answers.findIndex((answer) => !isDone(answer));
      if (bad !== -1) return `HAProxy answered "${answers[bad]}" to "${lines[bad]}"`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    this.#names.note(commands);
    if (this.#names.leaving.size > 0) this.#removeSoon(0);
    return null;
  }

  async #reload(target: Serving, from: Serving | null): Promise<void> {
    await this.#pause();
    await checkAddresses(target.structure, from?.structure ?? null);
    await checkSockets(target.structure, from?.structure ?? null);
    const names = this.#names;
    const left = await this.#onDisk(target, from, async () => {
      const worker = (await this.#haproxy.state())?.worker?.pid;
      this.#note(await this.#haproxy.reload());
      return worker;
    });
    if (left !== undefined && from !== null) this.#older.add(left, from, names);
    await this.#older.follow(target);
    this.#recent.push(performance.now());
    this.#reloads++;
    await removeUnused(this.#options.listenerDirectory, target.structure);
  }

  /** Waits as long as the reloads before ask for. */
  async #pause(): Promise<void> {
    const now = performance.now();
    this.#recent = this.#recent.filter((at) => now - at < CALM_MS);
    const last = this.#recent.at(-1);
    if (last === undefined) return;
    const gap = RELOAD_GAPS_MS[Math.min(Math.floor(this.#recent.length / 3), RELOAD_GAPS_MS.length - 1)] ?? 0;
    if (last + gap > now) await sleep(last + gap - now);
  }

  async #start(target: Serving, from: Serving | null): Promise<void> {
    await checkSockets(target.structure, null);
    await this.#onDisk(target, from, async () => {
      let live = true;
      const state = await this.#haproxy.start(() => {
        live = false;
        this.#died();
      });
      if (!live) throw new ClusterError('haproxy-start', 'HAProxy ended at once');
      this.#note(state);
    });
  }

  /** Writes `target`, has HAProxy check it and does `work`; if either fails, the files are again those of `from`. */
  async #onDisk<Value>(target: Serving, from: Serving | null, work: () => Promise<Value>): Promise<Value> {
    clearTimeout(this.#saveTimer);
    await this.#files.open(target);
    let result: Value;
    try {
      await this.#haproxy.check();
      result = await work();
    } catch (error) {
      if (from !== null) {
        await this.#files.rewrite(from);
        if (this.#serving === from) this.#saveSoon();
      }
      throw error;
    }
    this.#names = new WorkerNames();
    this.#serving = target;
    await this.#files.seal(target);
    return result;
  }

  /** Commands change only the running HAProxy; the files follow a moment later, once for many changes. */
  #saveSoon(): void {
    clearTimeout(this.#saveTimer);
    this.#saveTimer = setTimeout(() => {
      this.#exclusive(() => this.#files.save(this.#serving)).catch((error: unknown) =>
        this.#options.logger.warning(`cannot write ${this.paths.directory}: ${String(error)}`),
      );
    }, SAVE_MS);
  }

  /** Drained servers are deleted when their last request has ended. */
  #removeSoon(tries: number): void {
    clearTimeout(this.#leaveTimer);
    this.#leaveTimer = setTimeout(
      () => {
        this.#exclusive(async () => {
          const { leaving } = this.#names;
          const names = [...leaving];
          if (names.length === 0 || this.#process === null) return;
          const answers = await this.ask(names.map((name) => `del server ${name}`));
          for (const [index, name] of names.entries())
            if (/^(Server deleted|No such server)/.test(answers[index] ?? '')) leaving.delete(name);
          if (leaving.size > 0) this.#removeSoon(tries + 1);
        }).catch(() => this.#removeSoon(tries + 1));
      },
      LEAVE_MS[Math.min(tries, LEAVE_MS.length - 1)],
    );
    this.#leaveTimer.unref();
  }

  #note(state: MasterState): void {
    const since = this.#process?.pid === state.pid ? this.#process.since : new Date().toISOString();
    this.#process = { pid: state.pid, version: state.version, since };
    this.#drain(state.old);
  }

  /** Keeps count of older workers until there are none, and ends those that are too many. */
  #drain(pids: readonly number[]): void {
    clearTimeout(this.#drainTimer);
    for (const pid of this.#draining.note(pids, new Date().toISOString())) {
      this.#options.logger.warning(
        `ending HAProxy's worker ${pid} and its connections: more than ${this.#options.maxDraining} finish older configurations`,
      );
      try {
        process.kill(pid, 'SIGTERM');
      } catch {
        // It has ended meanwhile.
      }
    }
    if (pids.length === 0 || this.#closed) return;
    this.#drainTimer = setTimeout(() => {
      this.#haproxy.state().then((state) => this.#drain(state?.old ?? []));
    }, DRAIN_MS);
    this.#drainTimer.unref();
  }

  #watch(pid: number): void {
    this.#haproxy.gone(pid).then(() => this.#died(pid));
  }

  /** HAProxy ended: starts it again with what it served, at once, and at growing intervals while that fails. */
  #died(pid = this.#process?.pid): void {
    if (this.#closed || this.#process === null || this.#process.pid !== pid) return;
    this.#process = null;
    this.#older.clear();
    this.#options.logger.error(`HAProxy (process ${pid}) ended; starting it again`);
    this.#again(0);
  }

  #again(tries: number): void {
    const timer = setTimeout(
      () => {
        this.#exclusive(async () => {
          const serving = this.#serving;
          if (this.#closed || this.#process !== null || serving === null) return;
          await this.#start(serving, null);
          this.#options.logger.info(`HAProxy runs again, process ${this.status().pid}`);
        }).catch((error: unknown) => {
          this.#options.logger.error(error instanceof Error ? error.message : String(error));
          if (!this.#closed) this.#again(tries + 1);
        });
      },
      RESTART_MS[Math.min(tries, RESTART_MS.length - 1)],
    );
    timer.unref();
  }

  #exclusive<Value>(work: () => Promise<Value>): Promise<Value> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}
