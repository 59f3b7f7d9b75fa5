import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The short hash of a variant's content. */
export const hashOf = (label: string): string =>
  createHash('sha256').update(label).digest('hex').slice(0, 16);

/** A release in `dir` with a content hash of its own, or with another bin/node. @returns its file. */
export function variantOf(release: string, dir: string, label: string, node?: string): string {
  const folder = join(dir, label);
  const file = join(dir, `${label}.tar.gz`);
  execFileSync('sh', ['-c', 'mkdir "$1" && tar -xzf "$2" -C "$1"', '-', folder, release]);
  const [top = ''] = execFileSync('ls', [folder], { encoding: 'utf8' }).split('\n');
  const facts = join(folder, top, 'RELEASE');
  const hash = createHash('sha256').update(label).digest('hex');
  writeFileSync(facts, readFileSync(facts, 'utf8').replace(/^hash .*$/m, `hash ${hash}`));
  if (node !== undefined) writeFileSync(join(folder, top, 'bin', 'node'), node);
  const parts = ['RELEASE', 'bin', 'dist', 'lib', 'node_modules'].map((part) => `${top}/${part}`);
  execFileSync('tar', ['-C', folder, '-cf', file.slice(0, -3), ...parts]);
  execFileSync('gzip', ['-1', file.slice(0, -3)]);
  return file;
}
