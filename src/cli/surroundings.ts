import { homedir } from 'node:os';
import type { ConfigInput, FileUser } from '../lib/config/index.ts';

/** What configuration is read from, apart from flags: the environment, directories and user of this process. */
export function surroundings(): Omit<ConfigInput, 'flags'> {
  return { env: process.env, cwd: process.cwd(), home: homedir(), ...user() };
}

/** Windows has no uids, and no files of the current directory that are judged by them. */
function user(): { user?: FileUser } {
  const uid = process.getuid?.();
  const sudoUid = Number(process.env.SUDO_UID ?? '');
  if (uid === undefined) return {};
  return { user: { uid, ...(sudoUid > 0 && { sudoUid }) } };
}
