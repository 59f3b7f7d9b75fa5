import { hostname, userInfo } from 'node:os';

/** Who runs this command, and when, for the history of switches. */
export function operator(): { who: string; when: string } {
  return { who: `${userName()}@${hostname()}`, when: new Date().toISOString() };
}

/** In a container the user may have no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}
