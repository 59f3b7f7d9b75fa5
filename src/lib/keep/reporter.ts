import { printable, printableJson } from '../printable.ts';

export const SEVERITIES = ['debug', 'info', 'warning', 'error'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** How a line is written: harmless, whatever the message holds. The message has no line breaks. */
export type LogFormat = (severity: Severity, message: string) => string;

/** What reports to people: the methods of a Reporter. */
export type Report = Pick<Reporter, 'debug' | 'info' | 'warning' | 'error'>;

/** systemd's journal takes a line's priority from its first bytes. */
const PRIORITY: Readonly<Record<Severity, number>> = { debug: 7, info: 6, warning: 4, error: 3 };

const journalLine: LogFormat = (severity, message) => `<${PRIORITY[severity]}>${printable(message)}`;

/** `warning: MESSAGE`. */
export const plainLine: LogFormat = (severity, message) => `${severity}: ${printable(message)}`;

/** The message alone. */
export const textLine: LogFormat = (_, message) => printable(message);

/** One JSON object: `level` and `message`. */
export const jsonLine: LogFormat = (level, message) => printableJson(JSON.stringify({ level, message }));

/** The journal's format when standard error goes to systemd's journal, else the one given. */
export function inJournal(otherwise: LogFormat): LogFormat {
  return process.env.JOURNAL_STREAM === undefined ? otherwise : journalLine;
}

/** Writes one line for each thing that happened, from `severity` upwards. */
export class Reporter {
  /** May be changed while the process runs. */
  severity: Severity;
  readonly #write: (line: string, severity: Severity) => void;
  readonly #format: LogFormat;

  /** @param write takes one line without its line break. */
  constructor(
    severity: Severity,
    write: (line: string, severity: Severity) => void,
    format: LogFormat = plainLine,
  ) {
    this.severity = severity;
    this.#write = write;
    this.#format = format;
  }

  debug(message: string): void {
    this.#report('debug', message);
  }

  info(message: string): void {
    this.#report('info', message);
  }

  warning(message: string): void {
    this.#report('warning', message);
  }

  error(message: string): void {
    this.#report('error', message);
  }

  #report(severity: Severity, message: string): void {
    if (SEVERITIES.indexOf(severity) < SEVERITIES.indexOf(this.severity)) return;
    this.#write(this.#format(severity, message.replace(/\s*[\r\n]+\s*/g, '; ')), severity);
  }
}

export function isSeverity(text: unknown): text is Severity {
  return SEVERITIES.some((severity) => severity === text);
}

/** A severity by its name; `info` for what is none. */
export function readSeverity(text: string): Severity {
  return isSeverity(text) ? text : 'info';
}
