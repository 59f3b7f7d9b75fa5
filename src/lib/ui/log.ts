/** A log line of a long-running process; with --json, one JSON object a line. */
export const logLine = (level: 'info' | 'warning', message: string, json: boolean): string =>
  `${json ? JSON.stringify({ level, message }) : message}\n`;
