import { posix } from 'node:path';
import type { SFTPWrapper } from 'ssh2';
import ssh2 from 'ssh2';
import type { HollowMachine } from './machine.ts';
import { TreeError, type TreeStat } from './tree.ts';

const { STATUS_CODE, OPEN_MODE } = ssh2.utils.sftp;
const TYPE_BITS = { file: 0o100000, link: 0o120000, dir: 0o040000 } as const;

type Handle =
  | { readonly kind: 'file'; readonly path: string; data: Buffer; dirty: boolean; mode: number }
  | { readonly kind: 'dir'; readonly path: string; read: boolean };

/** Answers the SFTP requests of one session from the machine's files in memory. */
export function serveSftp(sftp: SFTPWrapper, machine: HollowMachine): void {
  const { tree } = machine;
  const handles = new Map<number, Handle>();
  let next = 1;

  const open = (handle: Handle): Buffer => {
    const id = Buffer.alloc(4);
    id.writeUInt32BE(next);
    handles.set(next++, handle);
    return id;
  };
  const find = (id: Buffer): Handle | undefined => handles.get(id.length === 4 ? id.readUInt32BE(0) : 0);
  const ok = (request: number): void => sftp.status(request, STATUS_CODE.OK);
  const absent = (request: number): void => sftp.status(request, STATUS_CODE.NO_SUCH_FILE, 'No such file');
  const attempt = (request: number, change: () => void): void => {
    tree.diskFull = machine.faults.diskFull;
    try {
      change();
      ok(request);
    } catch (error) {
      const missing = error instanceof TreeError && error.code === 'ENOENT';
      sftp.status(
        request,
        missing ? STATUS_CODE.NO_SUCH_FILE : STATUS_CODE.FAILURE,
        String((error as Error).message),
      );
    }
  };
  const stat = (request: number, found: TreeStat | null): void => {
    if (found) sftp.attrs(request, attributes(found));
    else absent(request);
  };

  sftp.on('OPEN', (request: number, path: string, flags: number, attrs: { mode?: number }) => {
    const before = tree.read(path);
    const writes = (flags & OPEN_MODE.WRITE) !== 0;
    if (!before && !(flags & OPEN_MODE.CREAT)) return absent(request);
    if (before && flags & OPEN_MODE.EXCL) return sftp.status(request, STATUS_CODE.FAILURE, 'File exists');
    const data = before && !(flags & OPEN_MODE.TRUNC) ? before : Buffer.alloc(0);
    const mode = (attrs.mode ?? tree.stat(path)?.mode ?? 0o644) & 0o777;
    sftp.handle(request, open({ kind: 'file', path, data, dirty: writes, mode }));
  });
  sftp.on('READ', (request: number, id: Buffer, offset: number, length: number) => {
    const handle = find(id);
    if (handle?.kind !== 'file') return sftp.status(request, STATUS_CODE.FAILURE);
    if (offset >= handle.data.length) return sftp.status(request, STATUS_CODE.EOF);
    sftp.data(request, handle.data.subarray(offset, offset + length));
  });
  sftp.on('WRITE', (request: number, id: Buffer, offset: number, chunk: Buffer) => {
    const handle = find(id);
    if (handle?.kind !== 'file') return sftp.status(request, STATUS_CODE.FAILURE);
    attempt(request, () => {
      if (tree.diskFull) throw new TreeError('ENOSPC', handle.path);
      const grown = Buffer.alloc(Math.max(handle.data.length, offset + chunk.length));
      handle.data.copy(grown);
      chunk.copy(grown, offset);
      handle.data = grown;
    });
  });
  sftp.on('CLOSE', (request: number, id: Buffer) => {
    const handle = find(id);
    handles.delete(id.readUInt32BE(0));
    attempt(request, () => {
      if (handle?.kind === 'file' && handle.dirty) tree.write(handle.path, handle.data, handle.mode);
    });
  });
  sftp.on('OPENDIR', (request: number, path: string) => {
    if (tree.stat(path)?.kind !== 'dir') return absent(request);
    sftp.handle(request, open({ kind: 'dir', path, read: false }));
  });
  sftp.on('READDIR', (request: number, id: Buffer) => {
    const handle = find(id);
    if (handle?.kind !== 'dir' || handle.read) return sftp.status(request, STATUS_CODE.EOF);
    handle.read = true;
    const names = tree.list(handle.path).map((filename) => {
      const attrs = attributes(
        tree.stat(posix.join(handle.path, filename)) ?? { kind: 'file', size: 0, mode: 0o644 },
      );
      return { filename, longname: filename, attrs };
    });
    if (names.length === 0) return sftp.status(request, STATUS_CODE.EOF);
    sftp.name(request, names);
  });
  sftp.on('STAT', (request: number, path: string) => {
    const data = tree.read(path);
    stat(
      request,
      data ? { kind: 'file', size: data.length, mode: tree.stat(path)?.mode ?? 0o644 } : tree.stat(path),
    );
  });
  sftp.on('LSTAT', (request: number, path: string) => stat(request, tree.stat(path)));
  sftp.on('FSTAT', (request: number, id: Buffer) => {
    const handle = find(id);
    if (handle?.kind !== 'file') return sftp.status(request, STATUS_CODE.FAILURE);
    sftp.attrs(request, attributes({ kind: 'file', size: handle.data.length, mode: handle.mode }));
  });
  sftp.on('SETSTAT', (request: number) => ok(request));
  sftp.on('FSETSTAT', (request: number) => ok(request));
  sftp.on('REMOVE', (request: number, path: string) => (tree.remove(path) ? ok(request) : absent(request)));
  sftp.on('RMDIR', (request: number, path: string) => (tree.remove(path) ? ok(request) : absent(request)));
  sftp.on('MKDIR', (request: number, path: string) => attempt(request, () => tree.mkdir(path)));
  sftp.on('RENAME', (request: number, from: string, to: string) =>
    attempt(request, () => tree.rename(from, to)),
  );
  sftp.on('SYMLINK', (request: number, link: string, target: string) =>
    attempt(request, () => tree.link(link, target)),
  );
  sftp.on('READLINK', (request: number, path: string) => {
    const target = tree.readlink(path);
    if (target === null) return absent(request);
    sftp.name(request, [
      { filename: target, longname: target, attrs: attributes({ kind: 'link', size: 0, mode: 0o777 }) },
    ]);
  });
  sftp.on('REALPATH', (request: number, path: string) => {
    const filename = posix.resolve('/root', path);
    sftp.name(request, [
      { filename, longname: filename, attrs: attributes({ kind: 'dir', size: 0, mode: 0o755 }) },
    ]);
  });
}

function attributes(found: TreeStat): {
  mode: number;
  uid: number;
  gid: number;
  size: number;
  atime: number;
  mtime: number;
} {
  return { mode: TYPE_BITS[found.kind] | found.mode, uid: 0, gid: 0, size: found.size, atime: 0, mtime: 0 };
}
