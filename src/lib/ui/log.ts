/** A line of what a process that runs on tells of; with --json each is an object of its own. */
export const logLine = (level: 'info' | 'warning', message: string, json: boolean): string =>
  `${json ? JSON.stringify({ level, message }) : message}\n`;
