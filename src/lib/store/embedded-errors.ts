/**
 * A small key-value store with two drivers, etcd and embedded, that pass one contract suite. It must not know what
 * its keys and values mean.
 */
import { statfsSync } from 'node:fs';
import { ClusterError, EXIT } from '../error.ts';

/** An error of LMDB or the file system as one a person can act on. */
export function embeddedError(error: unknown, directory: string): ClusterError {
  if (error instanceof ClusterError) return error;
  const { code, message } = error as { code?: string | number; message?: string };
  const text = `${code ?? ''} ${message ?? error}`;
  const make = (name: string, what: string, hint: string): ClusterError =>
    new ClusterError(name, `${what}: ${directory}`, {
      exit: EXIT.store,
      hint,
      file: directory,
      cause: error,
    });
  const full = /ENOSPC|No space left|EDQUOT|quota|MDB_MAP_FULL|mapsize limit/i.test(text);
  if (full || (/Input\/output error/i.test(text) && isNearlyFull(directory))) {
    return make(
      'store-full',
      'no space left for the store',
      'free some disk space, then run the command again',
    );
  }
  if (/EACCES|EPERM|EROFS|Permission denied|Read-only|Operation not permitted/i.test(text)) {
    return make(
      'store-unreachable',
      'the store directory cannot be written',
      'check its owner, or choose --data-dir',
    );
  }
  if (/ENOTDIR|EEXIST|Not a directory/i.test(text)) {
    return make('store-unreachable', 'the store directory is not a directory', 'choose another --data-dir');
  }
  if (/MDB_(CORRUPTED|INVALID|VERSION_MISMATCH|PANIC|PAGE_NOTFOUND)|not an LMDB file|corrupt/i.test(text)) {
    return make(
      'store-broken',
      'the store files are damaged',
      'restore the directory from a backup, or move it away',
    );
  }
  if (/ERR_DLOPEN_FAILED|No native build|Cannot find (module|package)/i.test(text)) {
    return make(
      'store-unreachable',
      'lmdb does not load on this system',
      'use etcd: --endpoint https://HOST:2379',
    );
  }
  return make(
    'store-unreachable',
    `the store failed (${message ?? String(error)})`,
    'choose another --data-dir',
  );
}

/** On a full disk LMDB reports a short write as an input/output error. */
function isNearlyFull(directory: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize < 16 * 1024 * 1024;
  } catch {
    return false;
  }
}
