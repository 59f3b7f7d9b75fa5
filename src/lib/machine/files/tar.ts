/** A file or symbolic link in a tar. */
export type TarEntry =
  | { readonly name: string; readonly text: string | Uint8Array; readonly mode?: number }
  | { readonly name: string; readonly link: string };

/** A tar stream of these entries, in this order, with no times in it. */
export async function packTar(entries: readonly TarEntry[]): Promise<Buffer> {
  const { pack: newPack } = await import('tar-stream');
  const pack = newPack();
  const parts: Buffer[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    pack.on('data', (part) => parts.push(part as Buffer));
    pack.on('end', resolve);
    pack.on('error', reject);
  });
  const mtime = new Date(0);
  for (const entry of entries) {
    const { name } = entry;
    if ('link' in entry) pack.entry({ name, type: 'symlink', linkname: entry.link, mode: 0o777, mtime });
    else pack.entry({ name, mode: entry.mode ?? 0o644, mtime }, Buffer.from(entry.text));
  }
  pack.finalize();
  await ended;
  return Buffer.concat(parts);
}

/** The first file of a tar, of which only the beginning need be there; null where it is no tar. */
export async function firstFile(tar: Uint8Array): Promise<{ name: string; text: string } | null> {
  const { extract } = await import('tar-stream');
  const reader = extract();
  return await new Promise((resolve) => {
    reader.on('entry', ({ name }, content) => {
      const parts: Buffer[] = [];
      content.on('data', (part) => parts.push(part as Buffer));
      content.on('end', () => {
        resolve({ name, text: Buffer.concat(parts).toString() });
        reader.destroy();
      });
    });
    for (const end of ['error', 'finish', 'close'] as const) reader.on(end, () => resolve(null));
    reader.end(tar);
  });
}
