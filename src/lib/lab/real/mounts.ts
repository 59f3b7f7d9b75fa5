import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { must, run } from './run.ts';

/** Mount points at or below a folder, deepest first. */
export function mountsUnder(dir: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .map((path) => path.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))))
    .filter((path) => path === dir || path.startsWith(`${dir}/`))
    .reverse();
}

/** Unmounts everything at or below a folder; a busy mount goes when its last user does (lazy unmount). */
export async function unmountUnder(dir: string): Promise<void> {
  for (const path of mountsUnder(dir)) {
    const { code } = await run('umount', [path]);
    if (code !== 0) await run('umount', ['--lazy', path]);
  }
}

/** Removes a folder, never following into something that is mounted in it. */
export async function removeTree(dir: string): Promise<void> {
  await unmountUnder(dir);
  if (mountsUnder(dir).length > 0) throw new Error(`still mounted below ${dir}`);
  // rm(1) and not Node's: a root file system has tens of thousands of files, and --one-file-system guards /proc and /sys
  await must('rm', ['-rf', '--one-file-system', dir]);
  await rm(dir, { recursive: true, force: true });
}

/** Mounts a machine's own layer on top of the shared root file system. */
export async function mountOverlay(
  lower: string,
  upper: string,
  work: string,
  merged: string,
): Promise<void> {
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  await must('mount', ['-t', 'overlay', 'cluster-lab', '-o', options, merged]);
}
