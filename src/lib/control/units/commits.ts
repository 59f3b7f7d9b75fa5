import { execFile } from 'node:child_process';
import { basename, dirname } from 'node:path';

const WAIT_MS = 2000;

/**
 * The git commit of each of these files that lies in a checkout without changes of its own to it, by hash; nothing
 * where there is no git. `written` are the hashes that are new to the registry.
 */
export async function commitsOf(
  sources: ReadonlyMap<string, string>,
  written: { has(hash: string): boolean },
): Promise<ReadonlyMap<string, string>> {
  const asked = [...sources].filter(([hash]) => written.has(hash));
  const found = await Promise.all(asked.map(async ([hash, path]) => [hash, await commitOf(path)] as const));
  return new Map(found.flatMap(([hash, commit]) => (commit === null ? [] : [[hash, commit] as const])));
}

async function commitOf(path: string): Promise<string | null> {
  const directory = dirname(path);
  const [changes, commit] = await Promise.all([
    git(directory, ['status', '--porcelain', '--ignored', '--', basename(path)]),
    git(directory, ['rev-parse', '--verify', 'HEAD']),
  ]);
  return changes === '' && commit !== null ? commit.trim() : null;
}

/** Null where it fails. It runs nothing of the checkout's own: neither hooks nor a monitor of the file system. */
function git(directory: string, args: readonly string[]): Promise<string | null> {
  const safe = ['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', '--no-optional-locks'];
  return new Promise((resolve) => {
    execFile('git', ['-C', directory, ...safe, ...args], { timeout: WAIT_MS }, (error, stdout) =>
      resolve(error === null ? stdout : null),
    );
  });
}
