import { existsSync } from 'node:fs';
import { appendFile, chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFilePrivate } from '../../private-directory.ts';
import type { LabPaths } from './paths.ts';
import { must, run } from './run.ts';
import type { LabMachine } from './state.ts';

/** Logins of the image: root, one with and one without sudo. */
const LOGINS = [
  { home: 'root', uid: 0 },
  { home: 'home/admin', uid: 1000 },
  { home: 'home/nosudo', uid: 1001 },
] as const;

/** Makes the lab's key pair, unless one that can be read is there. @returns whether it is new: running machines do not know it. */
export async function ensureLabKey(lab: LabPaths, report: (line: string) => void): Promise<boolean> {
  return ensurePair(lab.identity, `cluster-lab-${lab.name}`, report);
}

/** Lets the lab's key in for every login of a machine. */
export async function authorize(lab: LabPaths, root: string): Promise<void> {
  const key = await readFile(`${lab.identity}.pub`, 'utf8');
  for (const { home, uid } of LOGINS) {
    const dir = join(root, home, '.ssh');
    const file = join(dir, 'authorized_keys');
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await writeFile(file, key, { mode: 0o600 });
    for (const path of [dir, file]) await chown(path, uid, uid);
  }
}

/** Gives a machine a host key where it has none that can be read, and returns its known_hosts line. */
export async function ensureHostKey(
  root: string,
  machine: LabMachine,
  report: (line: string) => void,
): Promise<string> {
  const file = join(root, 'etc/ssh/ssh_host_ed25519_key');
  await ensurePair(file, machine.name, report);
  const [type, key] = (await readFile(`${file}.pub`, 'utf8')).split(' ');
  return `${machine.address} ${type} ${key}\n`;
}

/** Writes a machine's line, once, so that nobody has to accept a key unseen. */
export async function trust(lab: LabPaths, line: string): Promise<void> {
  const known = existsSync(lab.knownHosts) ? await readFile(lab.knownHosts, 'utf8') : '';
  if (known.split('\n').includes(line.trim())) return;
  const address = `${line.split(' ')[0]} `;
  const kept = known.split('\n').filter((old) => old !== '' && !old.startsWith(address));
  await writeFile(lab.knownHosts, kept.map((old) => `${old}\n`).join(''));
  await appendFile(lab.knownHosts, line);
}

/** Makes a key pair unless a whole one is there. @returns whether it is new. */
async function ensurePair(file: string, comment: string, report: (line: string) => void): Promise<boolean> {
  if (existsSync(file) && existsSync(`${file}.pub`)) {
    // ssh-keygen refuses a key that others may read.
    await makeFilePrivate(file);
    // Without a passphrase to give: an encrypted key is of no use here either.
    const { code, stdout } = await run('ssh-keygen', ['-y', '-P', '', '-f', file]);
    const kept = await readFile(`${file}.pub`, 'utf8');
    const [type, key] = stdout.split(' ');
    if (code === 0 && kept.startsWith(`${type} ${key?.trim()}`)) return false;
    report(`${file} and ${file}.pub are not a readable key pair; making a new one`);
  }
  await keygen(file, comment);
  return true;
}

async function keygen(file: string, comment: string): Promise<void> {
  // Where a file is left, ssh-keygen would ask whether to overwrite it.
  await must('rm', ['-f', file, `${file}.pub`]);
  await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', file]);
  await chmod(file, 0o600);
}
