import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { sleep } from './run.ts';

/** Runs `work` while no other process holds the same lock; a lock left by a killed run is taken over. */
export async function withLock<T>(
  file: string,
  onWait: (pid: number) => void,
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  await acquire(file, onWait);
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

async function acquire(file: string, onWait: (pid: number) => void): Promise<void> {
  const mine = `${process.pid} ${startTime(process.pid)}\n`;
  const draft = `${file}.${process.pid}.${randomUUID()}`;
  await writeFile(draft, mine);
  try {
    await waitFor(file, draft, onWait);
  } finally {
    await rm(draft, { force: true });
  }
}

async function waitFor(file: string, draft: string, onWait: (pid: number) => void): Promise<void> {
  let told = false;
  for (;;) {
    try {
      // A link appears together with its content; a file that is created and then written could be seen empty.
      await link(draft, file);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = await readFile(file, 'utf8').catch(() => undefined);
    if (holder === undefined) continue;
    const [pid = '0', started] = holder.trim().split(' ');
    if (startTime(Number(pid)) !== started) {
      // Renamed first: of two processes that find the same dead holder, only one succeeds.
      const grave = `${draft}.dead`;
      await rename(file, grave).catch(() => {});
      await rm(grave, { force: true });
      continue;
    }
    if (!told) onWait(Number(pid));
    told = true;
    await sleep(200);
  }
}

/** A process id alone may have been reused since. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '?';
  } catch {
    return 'gone';
  }
}
