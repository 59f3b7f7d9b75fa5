import { Readable } from 'node:stream';
import { ClusterError, EXIT } from '../../error.ts';
import { commandFailed } from '../errors.ts';
import type { ExecResult, Machine, MachineTarget } from '../port.ts';
import { machineLocked } from './change.ts';
import {
  INSTALLED_SCRIPT,
  RELEASE_EXIT,
  RELEASE_SCRIPT,
  SETTINGS_SCRIPT,
  UNINSTALL_SCRIPT,
} from './release-scripts.ts';
import { packTar } from './tar.ts';

/** What is installed of our own program on a machine, and what runs from it. */
export interface Installed {
  readonly machineId: string;
  /** `uname -m`. */
  readonly architecture: string;
  /** Content hash and version of /opt/cluster; null where there is none. */
  readonly current: { readonly hash: string; readonly version: string } | null;
  /** Short hashes of the releases that are unpacked there. */
  readonly present: readonly string[];
  /** The path of something that is not ours where our release should be; null where there is none. */
  readonly foreign: string | null;
  /** Content hash (sha256, hex) and mode (octal) of our files in /etc/cluster, by name. */
  readonly files: ReadonlyMap<string, { readonly hash: string; readonly mode: string }>;
  /** Units that cluster installed and that run our program: from which release and with which settings. */
  readonly running: readonly { readonly unit: string; readonly release: string; readonly settings: string }[];
}

/** How much of a release's hash names its folder on a machine. */
const SHORT = 16;
const CHUNK = 256 * 1024;

/** The folder's part of a release's content hash. */
export const shortRelease = (hash: string): string => hash.slice(0, SHORT);

/** Asks a machine what it has. @throws ClusterError `machine-command`. */
export async function readInstalled(machine: Machine): Promise<Installed> {
  const result = await machine.exec(['sh', '-c', INSTALLED_SCRIPT, 'cluster-installed'], { sudo: true });
  if (result.code !== 0)
    throw commandFailed(machine.target, 'reading what is installed', result.code, result.stderr);
  return parseInstalled(result.stdout);
}

/** Reads the answer of INSTALLED_SCRIPT. */
export function parseInstalled(text: string): Installed {
  const lines = text.split('\n').map((line) => line.split(' '));
  const all = (key: string): string[][] => lines.filter(([word]) => word === key).map(([, ...rest]) => rest);
  const one = (key: string): string | undefined => all(key)[0]?.[0];
  const hash = one('current');
  const running = new Map(
    all('running').map(([unit = '', release = '', settings = '']) => [unit, { unit, release, settings }]),
  );
  return {
    machineId: one('machine-id') ?? '',
    architecture: one('arch') ?? '',
    current: hash === undefined ? null : { hash, version: one('version') ?? '' },
    present: all('present').map(([name = '']) => name),
    foreign: one('foreign') ?? null,
    files: new Map(all('file').map(([name = '', mode = '', sum = '']) => [name, { hash: sum, mode }])),
    running: [...running.values()],
  };
}

/**
 * Makes a release the current one. `archive` is its tar.gz; null where the machine has it unpacked already. `sent` is
 * called with the bytes sent so far. The previous release stays current until the new one has run there.
 * @returns programs of our name that were left alone because they are not ours.
 * @throws ClusterError `install-foreign`, `release-unusable`, `disk-full`, `machine-command`.
 */
export async function installRelease(
  machine: Machine,
  hash: string,
  archive: Uint8Array | null,
  sent: (bytes: number) => void,
): Promise<string[]> {
  const argv = ['sh', '-c', RELEASE_SCRIPT, 'cluster-install', shortRelease(hash), hash];
  const stdin = archive === null ? '' : Readable.from(pieces(archive, sent), { objectMode: false });
  const result = await machine.exec([...argv, archive === null ? 'present' : 'send'], { sudo: true, stdin });
  if (result.code !== 0) throw installFailed(machine.target, result);
  return result.stdout.split('\n').flatMap((line) => (line.startsWith('kept ') ? [line.slice(5)] : []));
}

/** Makes our files in /etc/cluster these and no others, whole or not at all per file, mode 0600. */
export async function writeSettings(machine: Machine, files: ReadonlyMap<string, string>): Promise<void> {
  const entries = [...files].map(([name, text]) => ({ name, text, mode: 0o600 }));
  const stdin = await packTar([...entries, { name: 'complete', text: '' }]);
  const result = await machine.exec(['sh', '-c', SETTINGS_SCRIPT, 'cluster-settings'], { sudo: true, stdin });
  if (result.code !== 0) throw diskFull(machine.target, result) ?? failed(machine.target, result);
}

/** Takes our program and its settings off a machine; its units are gone already. */
export async function uninstall(machine: Machine): Promise<void> {
  const argv = ['sh', '-c', UNINSTALL_SCRIPT, 'cluster-uninstall'];
  const result = await machine.exec(argv, { sudo: true });
  if (result.code !== 0) throw failed(machine.target, result);
  await machine.reload();
}

function* pieces(archive: Uint8Array, sent: (bytes: number) => void): Generator<Uint8Array> {
  for (let at = 0; at < archive.length; at += CHUNK) {
    sent(at);
    yield archive.subarray(at, at + CHUNK);
  }
  sent(archive.length);
}

function installFailed(target: MachineTarget, result: ExecResult): ClusterError {
  const machine = target.address;
  if (result.code === RELEASE_EXIT.foreign) return foreignInstall(machine, '/opt/cluster');
  if (result.code === RELEASE_EXIT.unusable) {
    const why = lastLine(result.stderr) || 'it does not start';
    return new ClusterError('release-unusable', `the release does not run on ${machine}: ${why}`, {
      machine,
      exit: EXIT.machine,
      hint: /libstdc\+\+|libatomic/.test(why)
        ? 'install the library there (Debian: apt-get install libstdc++6); the release that was there still is'
        : 'it needs glibc 2.28 or newer, libstdc++ and the right architecture; the release that was there still is',
    });
  }
  if (result.code === RELEASE_EXIT.locked) return machineLocked(target, result.stdout);
  return diskFull(target, result) ?? failed(target, result);
}

/** Something that is not ours is where our release should be. */
export function foreignInstall(machine: string, path: string): ClusterError {
  return new ClusterError('install-foreign', `${path} on ${machine} was not installed by cluster`, {
    machine,
    hint: 'move it away on that machine; nothing was changed',
  });
}

function diskFull(target: MachineTarget, { stderr }: ExecResult): ClusterError | undefined {
  if (!/No space left on device|Disk quota exceeded/.test(stderr)) return undefined;
  return new ClusterError('disk-full', `no space left for the release on ${target.address}`, {
    machine: target.address,
    hint: 'free some 250 MB in /opt there; the release that was there still is',
  });
}

const failed = (target: MachineTarget, { code, stderr }: ExecResult): ClusterError =>
  commandFailed(target, 'installing', code, stderr);

const lastLine = (text: string): string => text.trim().split('\n').at(-1)?.trim() ?? '';
