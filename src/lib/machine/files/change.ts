/**
 * Our files on a machine: unit files, manifest, release, written by constant scripts that read a tar stream. It must
 * not decide what belongs there.
 */
import { ClusterError, EXIT } from '../../error.ts';
import { commandFailed, machineOwned } from '../errors.ts';
import type {
  Claim,
  ExecResult,
  FileChange,
  MachineOwner,
  MachineTarget,
  Manifest,
  ManifestEntry,
  OwnerChange,
} from '../port.ts';
import { APPLY_EXIT, CLUSTER_TARGET, LOCK_SECONDS, PENDING } from './scripts.ts';
import { packTar, type TarEntry } from './tar.ts';

const NAME = /^[A-Za-z0-9:_\\-][A-Za-z0-9:_.@\\-]{0,254}$/;

/** The tar that APPLY_SCRIPT reads. */
export async function packChange(change: FileChange): Promise<Buffer> {
  const { ticket } = change;
  if (ticket !== undefined) assertTicket(ticket);
  for (const unit of [...change.install.map((file) => file.unit), ...change.remove]) assertName(unit);
  const lines = (names: readonly string[]) => names.map((name) => `${name}\n`).join('');
  const touched = [...change.install.map((one) => one.unit), ...change.remove];
  return packTar([
    ...(ticket === undefined ? [] : [{ name: `unsettled/${ticket}`, text: lines(touched) }]),
    ...change.install.flatMap(({ unit, hash, text, launched }): TarEntry[] => [
      { name: `pending/${unit}`, text: `${PENDING}\n` },
      { name: `manifest/${unit}`, text: `${hash}\n` },
      { name: `units/${unit}`, text },
      ...(launched ? [{ name: `wants/${unit}`, link: `../${unit}` }] : []),
    ]),
    ...(change.owner ? [{ name: 'owner', text: ownerLine(change.owner) }] : []),
    { name: 'claims', text: lines((change.claims ?? []).map(claimLine)) },
    { name: 'remove', text: lines(change.remove) },
    { name: 'idle', text: lines(change.install.filter((one) => !one.launched).map((one) => one.unit)) },
    { name: 'cluster.target', text: CLUSTER_TARGET },
    { name: 'enable/cluster.target', link: '../cluster.target' },
    { name: 'complete', text: '' },
  ]);
}

function claimLine({ key, unit, name }: Claim): string {
  assertName(unit);
  return `${key} ${unit} ${name}`;
}

/** Throws unless APPLY_SCRIPT did the whole change. */
export function checkApplied(target: MachineTarget, result: ExecResult): void {
  if (result.code === 0) return;
  const machine = target.address;
  if (result.code === APPLY_EXIT.foreign) {
    const names = result.stdout
      .split('\n')
      .filter((line) => line.startsWith('foreign '))
      .map((line) => line.slice('foreign '.length));
    const claim = /^claimed (\S+) (\S+) (\S+)$/m.exec(result.stdout);
    if (names.length === 0 && claim !== null) throw foreignClaim(machine, claim);
    throw new ClusterError('unit-foreign', `${names.join(', ')} on ${machine} was not installed by cluster`, {
      machine,
      ...(names[0] === undefined ? {} : { unit: names[0] }),
      hint: 'choose another unit name, or remove that unit on the machine; nothing was changed',
    });
  }
  if (result.code === APPLY_EXIT.owned) {
    const owner = /^owner (\S+)$/m.exec(result.stdout)?.[1] ?? '';
    throw machineOwned(target, owner);
  }
  if (result.code === APPLY_EXIT.locked) throw machineLocked(target, result.stdout);
  if (/No space left on device|Disk quota exceeded/.test(result.stderr)) {
    throw new ClusterError('disk-full', `no space left for unit files on ${machine}`, {
      machine,
      hint: 'free some space in /etc there; nothing was changed',
    });
  }
  throw commandFailed(target, 'writing unit files', result.code, result.stderr);
}

function foreignClaim(machine: string, [, key = '', unit = '', name = '']: RegExpExecArray): ClusterError {
  const what = key === 'Alias' ? 'would take the place of' : 'would enable';
  const message = `${key}=${name} of ${unit} ${what} a unit on ${machine} that is not its own`;
  const hint = `take ${name} out of the [Install] section of ${unit}; nothing was changed`;
  return new ClusterError('unit-foreign', message, { machine, unit, hint });
}

/** Reads the answer of MANIFEST_SCRIPT. */
export function parseManifest(text: string): Manifest {
  const lines = text.split('\n').filter((line) => line !== '');
  const owned = lines.find((line) => line.startsWith('= '));
  return {
    owner: owned === undefined ? null : parseOwner(owned.slice(2)),
    units: parseUnits(lines.filter((line) => line !== owned)),
  };
}

/** null for what is not an owner's line: such a machine belongs to nobody. */
function parseOwner(text: string): MachineOwner | null {
  const [cluster = '', generation = '', mark = ''] = text.trim().split(' ');
  if (!/^[0-9a-f]{32}$/.test(cluster)) return null;
  return { cluster, generation: Number.parseInt(generation, 10) || 0, mark };
}

function ownerLine({ how, cluster, generation, mark }: OwnerChange): string {
  return `${how} ${cluster} ${generation} ${mark}\n`;
}

function parseUnits(lines: readonly string[]): ManifestEntry[] {
  const tickets = new Map<string, string[]>();
  for (const line of lines.filter((one) => one.startsWith(' '))) {
    const [, ticket = '', unit = ''] = line.split(' ');
    tickets.set(unit, [...(tickets.get(unit) ?? []), ticket]);
  }
  const unsettled = (unit: string) => {
    const those = tickets.get(unit);
    tickets.delete(unit);
    return those === undefined ? {} : { unsettled: those };
  };
  const entries = lines
    .filter((line) => !line.startsWith(' '))
    .map((line): ManifestEntry => {
      const [unit = '', hash = '', boot] = line.split(' ');
      return { unit, hash, ...(boot === 'boot' && { boot: true }), ...unsettled(unit) };
    });
  const removed = [...tickets.keys()].map((unit) => ({ unit, hash: null, ...unsettled(unit) }));
  return [...entries, ...removed];
}

/** Somebody else held the lock of a machine all the time that we waited. */
export function machineLocked(target: MachineTarget, stdout: string): ClusterError {
  const who = /^locked (.+)$/m.exec(stdout)?.[1]?.trim() ?? '';
  const holder = who === '' ? 'another command' : `another command (${printable(who)})`;
  return new ClusterError(
    'machine-locked',
    `${holder} has held the lock of ${target.address} for more than ${LOCK_SECONDS} s`,
    {
      machine: target.address,
      exit: EXIT.machine,
      hint: 'repeat the command once it has ended; on the machine, fuser /etc/cluster/lock names the process',
    },
  );
}

const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?');

/** Tickets become file names and arguments. */
export function assertTicket(ticket: string): void {
  if (!/^[0-9a-f]{8,64}$/.test(ticket)) throw new Error(`${JSON.stringify(ticket)} is no ticket of a change`);
}

/** Names were checked by systemd's rules long before; here a bad one would become a path. */
function assertName(unit: string): void {
  if (!NAME.test(unit) || unit === 'cluster.target') {
    throw new ClusterError('unit-name-invalid', `"${unit}" is not a unit name that can be installed`, {
      unit,
    });
  }
}
