import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ClusterError } from '../../error.ts';
import { localMachineId } from '../../keep/machine-id.ts';
import {
  foreignInstall,
  type Installed,
  installRelease,
  Limit,
  type Machine,
  readInstalled,
  shortRelease,
  writeSettings,
} from '../../machine/index.ts';
import type { MachineRecord } from '../../registry/index.ts';
import type { MachineName } from '../event.ts';
import { findMachine } from '../find-machine.ts';
import { nameOf, reportUnreachable } from '../report.ts';
import { requireMachines, type Session } from '../session.ts';
import { askAll } from '../units/ask.ts';
import { checkOwner } from '../units/owner.ts';
import {
  isLocalEndpoint,
  readCertificates,
  readEndpoints,
  type StoreAddress,
  settingsFiles,
  settingsStamp,
  sha256,
} from './etc-cluster.ts';
import { ARCHITECTURES, newestRelease, type Release, readRelease } from './release.ts';

export interface InstallOptions {
  /** A release's file; null = the newest in dist/release. */
  readonly release: string | null;
  /** Where machines reach etcd, comma-separated; null = where this CLI does. */
  readonly machineEndpoint: string | null;
  /** The folder that the program runs from: a clone, or a release. */
  readonly root: string;
}

/** What was done on one machine. */
export interface InstallOutcome {
  readonly machine: MachineName;
  readonly version: string;
  /** Content hash of the release. */
  readonly hash: string;
  /** `sent`, `switched` to one that was there unpacked, or `same`. */
  readonly release: 'sent' | 'switched' | 'same';
  /** Of /etc/cluster; `none` where no store is known that the machine could reach. */
  readonly settings: 'written' | 'same' | 'none';
  /** Units that run from another release or with other settings. */
  readonly outdated: readonly string[];
}

export type InstallProgress =
  | {
      readonly kind: 'sending';
      readonly machine: MachineName;
      readonly bytes: number;
      readonly total: number;
      readonly release: Release;
    }
  | { readonly kind: 'kept'; readonly machine: MachineName; readonly path: string }
  | { readonly kind: 'done'; readonly outcome: InstallOutcome };

/** A release is tens of megabytes, and one processor encrypts for all. */
const SENT_AT_ONCE = 8;

/**
 * Puts our own program and the store's settings on the machines where they differ, side by side. A machine that fails
 * is reported and the others go on.
 * @returns what went wrong, already reported.
 */
export async function installMachines(
  session: Session,
  wanted: readonly string[],
  options: InstallOptions,
  progress: (step: InstallProgress) => void,
): Promise<ClusterError[]> {
  const endpoints = machineEndpoints(session, options.machineEndpoint);
  const certificates = await readCertificates(session.config);
  const state = await session.state({ toChange: true });
  requireMachines(state);
  const chosen = wanted.map((name) => findMachine(state, name));
  const machines = chosen.length > 0 ? [...new Set(chosen)] : [...state.machines.values()];
  const releases = new Releases(options);
  await releases.check();
  const here = await localMachineId();
  const settingsOf = (installed: Installed): ReadonlyMap<string, string> | null => {
    const address = storeAddress(session, endpoints, installed.machineId === here);
    return address === null ? null : settingsFiles(session.config, address, certificates);
  };
  const sending = new Limit(SENT_AT_ONCE);
  const failures: ClusterError[] = [];
  let withoutStore = false;
  const answers = await askAll(session, machines, async (machine, record) => {
    const { owner } = await machine.manifest();
    await checkOwner(session, record, owner, state.identity);
    const outcome = await installOne(machine, record, releases, settingsOf, sending, progress);
    withoutStore ||= outcome.settings === 'none';
    progress({ kind: 'done', outcome });
  });
  for (const answer of answers) {
    if (!('error' in answer)) continue;
    const hint = `cluster machine install ${answer.machine.id.slice(0, 8)}`;
    failures.push(reportUnreachable(session, answer.machine, answer.error, { hint }));
  }
  if (withoutStore)
    session.emit({
      kind: 'warning',
      message:
        'no etcd is configured, so machines cannot be told where the store is; name it with --machine-endpoint',
    });
  return failures;
}

async function installOne(
  machine: Machine,
  record: MachineRecord,
  releases: Releases,
  settingsOf: (installed: Installed) => ReadonlyMap<string, string> | null,
  sending: Limit,
  progress: (step: InstallProgress) => void,
): Promise<InstallOutcome> {
  const name = nameOf(record);
  const installed = await readInstalled(machine);
  if (installed.foreign !== null) throw foreignInstall(record.target.address, installed.foreign);
  const release = await releases.for(installed.architecture, record.target.address);
  const step = releaseStep(installed, release.hash);
  if (step !== 'same') {
    const archive = step === 'sent' ? release.archive : null;
    const total = release.archive.length;
    const sent = (bytes: number): void => progress({ kind: 'sending', machine: name, bytes, total, release });
    const kept = await sending.run(() => installRelease(machine, release.hash, archive, sent));
    for (const path of kept) progress({ kind: 'kept', machine: name, path });
  }
  const files = settingsOf(installed);
  const differ = files !== null && settingsDiffer(installed, files);
  if (differ) await writeSettings(machine, files);
  const { version, hash } = release;
  return {
    machine: name,
    version,
    hash,
    release: step,
    settings: files === null ? 'none' : differ ? 'written' : 'same',
    outdated: outdatedUnits(installed, hash, files === null ? null : settingsStamp(files)),
  };
}

/** What a machine needs to have this release. */
export function releaseStep(installed: Installed, hash: string): InstallOutcome['release'] {
  if (installed.current?.hash === hash) return 'same';
  return installed.present.includes(shortRelease(hash)) ? 'switched' : 'sent';
}

/** Whether a machine's files are not these, to the byte and with mode 0600. */
export function settingsDiffer(
  installed: Pick<Installed, 'files'>,
  files: ReadonlyMap<string, string>,
): boolean {
  if (installed.files.size !== files.size) return true;
  return [...files].some(([name, text]) => {
    const there = installed.files.get(name);
    return there?.mode !== '600' || there.hash !== sha256(text);
  });
}

/** Units that were started from another release, or with other settings; sorted. `stamp` null: settings are not compared. */
export function outdatedUnits(
  { running }: Pick<Installed, 'running'>,
  hash: string,
  stamp: string | null,
): string[] {
  const old = running.filter(
    ({ release, settings }) =>
      release !== shortRelease(hash) || (stamp !== null && settings !== '' && settings !== stamp),
  );
  return old.map(({ unit }) => unit).sort();
}

/** Where machines reach etcd; null: the store is the embedded one on this computer. */
function machineEndpoints(session: Session, given: string | null): readonly string[] | null {
  if (given !== null) return readEndpoints(given);
  const { etcd } = session.config;
  if (etcd === null) return null;
  if (etcd.tunnel !== undefined)
    throw new ClusterError(
      'machine-endpoint',
      'etcd is reached through a tunnel, which machines do not have',
      {
        hint: 'say where machines reach it: --machine-endpoint http://10.0.0.5:2379 (or CLUSTER_MACHINE_ENDPOINT)',
      },
    );
  if (etcd.endpoints.every(isLocalEndpoint))
    session.emit({
      kind: 'warning',
      message: `${etcd.endpoints.join(',')} means another server on each machine; --machine-endpoint says where they reach etcd`,
    });
  return etcd.endpoints;
}

function storeAddress(
  session: Session,
  endpoints: readonly string[] | null,
  isThisComputer: boolean,
): StoreAddress | null {
  if (endpoints !== null) return { endpoints };
  return isThisComputer ? { dataDir: session.config.dataDir } : null;
}

/** The release for each architecture, read once. */
class Releases {
  readonly #options: InstallOptions;
  readonly #byArch = new Map<string, Promise<Release>>();
  #built: Promise<void> | undefined;

  constructor(options: InstallOptions) {
    this.#options = options;
  }

  /** @throws `bad-release` before anything is changed, when the release that was named cannot be used. */
  async check(): Promise<void> {
    const { release } = this.#options;
    if (release === null) return;
    const read = await readRelease(release);
    this.#byArch.set(read.arch, Promise.resolve(read));
  }

  /** @throws `release-arch` when there is no release for this `uname -m`. */
  for(machineArch: string, address: string): Promise<Release> {
    const arch = ARCHITECTURES.get(machineArch);
    const known = arch === undefined ? undefined : this.#byArch.get(arch);
    if (known !== undefined) return known;
    if (arch === undefined || this.#options.release !== null) {
      const { release } = this.#options;
      throw new ClusterError(
        'release-arch',
        `${release ?? 'no release'} is for ${address}, a ${machineArch}`,
        {
          machine: address,
          hint: 'releases are made for x64 and arm64: npm run package -- --arch arm64 --node FILE',
        },
      );
    }
    const found = this.#newest(arch);
    this.#byArch.set(arch, found);
    return found;
  }

  async #newest(arch: string): Promise<Release> {
    const { root } = this.#options;
    if (arch === process.arch && existsSync(join(root, 'scripts', 'package.mjs'))) {
      this.#built ??= build(root);
      await this.#built;
    }
    return newestRelease(join(root, 'dist', 'release'), arch);
  }
}

/** Makes the release of a clone; quick where it is up to date. */
async function build(root: string): Promise<void> {
  const child = spawn(process.execPath, [join(root, 'scripts', 'package.mjs'), '--quiet'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code === 0) return;
  throw new ClusterError('package-failed', 'the release cannot be made; see above', {
    hint: `npm run package in ${root}, or name a release with --release`,
  });
}
