import { rename, writeFile } from 'node:fs/promises';

/** All or nothing for one file; only its owner may read it, since keys are among them. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const aside = `${path}.${process.pid}.new`;
  await writeFile(aside, text, { mode: 0o600 });
  await rename(aside, path);
}
