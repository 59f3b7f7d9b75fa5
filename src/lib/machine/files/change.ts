import { ClusterError } from '../../error.ts';
import { commandFailed, machineOwned } from '../errors.ts';
import type { ExecResult, FileChange, MachineOwner, MachineTarget, Manifest, OwnerChange } from '../port.ts';
import { APPLY_EXIT, CLUSTER_TARGET, PENDING } from './scripts.ts';
import { packTar, type TarEntry } from './tar.ts';

const NAME = /^[A-Za-z0-9:_\\-][A-Za-z0-9:_.@\\-]{0,254}$/;

/** The tar that APPLY_SCRIPT reads. */
export async function packChange(change: FileChange): Promise<Buffer> {
  for (const unit of [...change.install.map((file) => file.unit), ...change.remove]) assertName(unit);
  const lines = (names: readonly string[]) => names.map((name) => `${name}\n`).join('');
  return packTar([
    ...change.install.flatMap(({ unit, hash, text, launched }): TarEntry[] => [
      { name: `pending/${unit}`, text: `${PENDING}\n` },
      { name: `manifest/${unit}`, text: `${hash}\n` },
      { name: `units/${unit}`, text },
      ...(launched ? [{ name: `wants/${unit}`, link: `../${unit}` }] : []),
    ]),
    ...(change.owner ? [{ name: 'owner', text: ownerLine(change.owner) }] : []),
    { name: 'remove', text: lines(change.remove) },
    { name: 'idle', text: lines(change.install.filter((one) => !one.launched).map((one) => one.unit)) },
    { name: 'cluster.target', text: CLUSTER_TARGET },
    { name: 'enable/cluster.target', link: '../cluster.target' },
    { name: 'complete', text: '' },
  ]);
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
  if (/No space left on device|Disk quota exceeded/.test(result.stderr)) {
    throw new ClusterError('disk-full', `no space left for unit files on ${machine}`, {
      machine,
      hint: 'free some space in /etc there; nothing was changed',
    });
  }
  throw commandFailed(target, 'writing unit files', result.code, result.stderr);
}

/** Reads the answer of MANIFEST_SCRIPT. */
export function parseManifest(text: string): Manifest {
  const lines = text.split('\n').filter((line) => line !== '');
  const owned = lines.find((line) => line.startsWith('= '));
  const units = lines.filter((line) => line !== owned);
  return {
    owner: owned === undefined ? null : parseOwner(owned.slice(2)),
    units: units.map((line) => {
      const space = line.indexOf(' ');
      return { unit: line.slice(0, space), hash: line.slice(space + 1) };
    }),
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

/** Names were checked by systemd's rules long before; here a bad one would become a path. */
function assertName(unit: string): void {
  if (!NAME.test(unit) || unit === 'cluster.target') {
    throw new ClusterError('unit-name-invalid', `"${unit}" is not a unit name that can be installed`, {
      unit,
    });
  }
}
