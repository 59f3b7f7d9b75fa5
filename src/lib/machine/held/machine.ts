import { unreachable } from '../errors.ts';
import type {
  FileChange,
  JobOutcome,
  JobWaiting,
  JournalChoice,
  JournalQuery,
  Machine,
  MachineTarget,
  UnitChanges,
  WatchOptions,
} from '../port.ts';
import { type HolderClient, HolderLost } from './client.ts';
import type { Call, CallArgs, CallResult, Question } from './wire.ts';

/** A machine whose connection a holder has. Streams of bytes go over a connection of its own. */
export class HeldMachine implements Machine {
  readonly target: MachineTarget;
  readonly #holder: HolderClient;
  readonly #connect: () => Promise<Machine>;
  #own: Promise<Machine> | undefined;

  constructor(target: MachineTarget, holder: HolderClient, connect: () => Promise<Machine>) {
    this.target = target;
    this.#holder = holder;
    this.#connect = connect;
  }

  facts() {
    return this.#call('facts');
  }

  details() {
    return this.#call('details');
  }

  statuses(units: readonly string[], reasons = false) {
    return this.#call('statuses', units, reasons);
  }

  ages(units: readonly string[]) {
    return this.#call('ages', units);
  }

  manifest() {
    return this.#call('manifest');
  }

  apply(change: FileChange) {
    return this.#call('apply', change);
  }

  settle(tickets: readonly string[]) {
    return this.#call('settle', tickets);
  }

  reload() {
    return this.#call('reload');
  }

  start(units: readonly string[], block: boolean, waiting?: JobWaiting) {
    return this.#jobs('start', units, block, waiting);
  }

  stop(units: readonly string[], block: boolean, waiting?: JobWaiting) {
    return this.#jobs('stop', units, block, waiting);
  }

  restart(units: readonly string[], block: boolean, waiting?: JobWaiting) {
    return this.#jobs('restart', units, block, waiting);
  }

  forget(units: readonly string[]) {
    return this.#call('forget', units);
  }

  enable(units: readonly string[]) {
    return this.#call('enable', units);
  }

  status(units: readonly string[]) {
    return this.#call('status', units);
  }

  journal(query: JournalQuery) {
    return this.#call('journal', query);
  }

  /** On a connection of its own: it would keep one of the few sessions of the shared one for as long as it lasts. */
  async *followJournal(query: JournalQuery, signal: AbortSignal) {
    yield* (await this.#direct()).followJournal(query, signal);
  }

  journalText(unit: string, options: JournalChoice & { readonly output: string }) {
    return this.#call('journalText', unit, options);
  }

  analyze(unit: string, text: string) {
    return this.#call('analyze', unit, text);
  }

  async *watch({ units, signal }: WatchOptions = {}): AsyncGenerator<UnitChanges, void, void> {
    if (signal?.aborted) return;
    const watch = (await this.#asked({
      ask: 'watch',
      target: this.target,
      ...(units && { units }),
    })) as number;
    const end = () => void this.#holder.ask({ ask: 'unwatch', watch }).catch(() => undefined);
    signal?.addEventListener('abort', end, { once: true });
    if (signal?.aborted) end();
    try {
      for (;;) {
        const changes = (await this.#asked({ ask: 'next', watch })) as UnitChanges | null;
        if (changes === null || signal?.aborted) return;
        yield changes;
      }
    } finally {
      signal?.removeEventListener('abort', end);
      end();
    }
  }

  async exec(...[argv, options = {}]: Parameters<Machine['exec']>) {
    const { stdin, sudo = false, signal, onStdout } = options;
    const isData = (stdin === undefined || typeof stdin === 'string') && !signal && !onStdout;
    if (!isData) return (await this.#direct()).exec(argv, options);
    return await this.#call('exec', argv, { sudo, ...(stdin !== undefined && { stdin }) });
  }

  async interactive(...args: Parameters<Machine['interactive']>) {
    return (await this.#direct()).interactive(...args);
  }

  async forward(...args: Parameters<Machine['forward']>) {
    return (await this.#direct()).forward(...args);
  }

  close(): void {
    this.#own?.then(
      (machine) => machine.close(),
      () => undefined,
    );
  }

  #direct(): Promise<Machine> {
    this.#own ??= this.#connect();
    return this.#own;
  }

  /** The holder tells each outcome when it is there. */
  async #jobs(
    call: 'start' | 'stop' | 'restart',
    units: readonly string[],
    block: boolean,
    { onOutcome, ...waiting }: JobWaiting = {},
  ): Promise<JobOutcome[]> {
    const question = { ask: 'call', target: this.target, call, args: [units, block, waiting] } as const;
    const heard = (part: unknown): void => onOutcome?.(part as JobOutcome);
    return (await this.#asked({ ...question, parts: onOutcome !== undefined }, heard)) as JobOutcome[];
  }

  async #call<Name extends Call>(call: Name, ...args: CallArgs<Name>): Promise<CallResult<Name>> {
    const value = await this.#asked({ ask: 'call', target: this.target, call, args: [...args] });
    return value as CallResult<Name>;
  }

  async #asked(question: Question, onPart?: (part: unknown) => void): Promise<unknown> {
    try {
      return await this.#holder.ask(question, onPart);
    } catch (error) {
      if (error instanceof HolderLost) throw unreachable(this.target, 'the connection was lost', error);
      throw error;
    }
  }
}
