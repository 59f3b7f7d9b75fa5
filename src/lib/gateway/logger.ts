export const SEVERITIES = ['debug', 'info', 'warning', 'error'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** systemd's journal takes a line's priority from its first bytes. */
const PRIORITY: Readonly<Record<Severity, number>> = { debug: 7, info: 6, warning: 4, error: 3 };

/** One line for each thing that happened, from `severity` up. */
export class Logger {
  severity: Severity;
  readonly #write: (line: string) => void;
  readonly #journal: boolean;

  constructor(severity: Severity, write: (line: string) => void, journal = false) {
    this.severity = severity;
    this.#write = write;
    this.#journal = journal;
  }

  debug(message: string): void {
    this.#say('debug', message);
  }

  info(message: string): void {
    this.#say('info', message);
  }

  warning(message: string): void {
    this.#say('warning', message);
  }

  error(message: string): void {
    this.#say('error', message);
  }

  #say(severity: Severity, message: string): void {
    if (SEVERITIES.indexOf(severity) < SEVERITIES.indexOf(this.severity)) return;
    const text = message.replace(/\s*[\r\n]+\s*/g, '; ');
    this.#write(this.#journal ? `<${PRIORITY[severity]}>${text}` : `${severity}: ${text}`);
  }
}

export function isSeverity(text: unknown): text is Severity {
  return SEVERITIES.some((severity) => severity === text);
}

/** A severity by its name; `info` for what is none. */
export function readSeverity(text: string): Severity {
  return isSeverity(text) ? text : 'info';
}
