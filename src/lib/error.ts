/** Where a problem was found, so that the one line a person reads can name it. */
export interface ErrorPlace {
  readonly unit?: string;
  readonly file?: string;
  /** 1-based. */
  readonly line?: number;
  readonly machine?: string;
  readonly key?: string;
}

/** Process exit codes; docs/errors.md is generated from this table. */
export const EXIT = {
  ok: 0,
  /** Bad input, a refusal, or something that failed on a machine. */
  failed: 1,
  /** Only `plan`, `reconcile --dry-run` and `rebalance --dry-run`: changes are pending. */
  changes: 2,
  /** A local unit file differs from the stored one, and neither --replace nor --keep was given; nothing was changed. */
  differs: 3,
  /** A machine could not be reached or did not let us in. */
  machine: 4,
  /** The store could not be reached or refused us. */
  store: 5,
  /** Somebody else changed the same thing first. */
  conflict: 6,
  /** Unknown command or flag. */
  usage: 64,
  interrupted: 130,
} as const;

export interface ErrorOptions extends ErrorPlace {
  /** One line: what to try. */
  readonly hint?: string;
  readonly exit?: number;
  readonly cause?: unknown;
}

/**
 * An error that a person can meet: `code` is stable and kebab-case, `message` one line that names the thing that is
 * wrong, `hint` one line that says what to try. Everything else that is thrown is a fault of ours.
 */
export class ClusterError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly exit: number;
  readonly place: ErrorPlace;

  constructor(code: string, message: string, options: ErrorOptions = {}) {
    const { hint, exit, cause, ...place } = options;
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ClusterError';
    this.code = code;
    this.hint = hint;
    this.exit = exit ?? EXIT.failed;
    this.place = place;
  }
}

/** Several bad arguments, all of them reported. Exit code is that of the first. */
export class ClusterErrors extends ClusterError {
  readonly errors: readonly ClusterError[];
  /** A person has read them already, as they happened. */
  readonly announced: boolean;

  constructor(errors: readonly ClusterError[], announced = false) {
    const first = errors[0];
    super(first?.code ?? 'failed', first?.message ?? 'failed', { exit: first?.exit ?? EXIT.failed });
    this.errors = errors;
    this.announced = announced;
  }
}
