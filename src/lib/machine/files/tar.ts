/** A file or symbolic link as it travels to a machine. */
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
