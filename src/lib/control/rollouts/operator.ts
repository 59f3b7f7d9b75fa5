import { hostname, userInfo } from 'node:os';

/** Who drives a rollout from here: `user@computer`. */
export function rolloutOperator(): string {
  return `${userName()}@${hostname()}`;
}

/** In a container the user may have no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}
