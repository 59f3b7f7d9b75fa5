import { readFile } from 'node:fs/promises';

/** The id of the machine that this process runs on; null where /etc/machine-id has none. */
export async function localMachineId(file = '/etc/machine-id'): Promise<string | null> {
  const id = (await readFile(file, 'utf8').catch(() => '')).trim();
  return /^[0-9a-f]{32}$/.test(id) ? id : null;
}
